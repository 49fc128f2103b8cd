"""Messages of the section "Adapt to my site"."""

from html import escape

from slicer.i18n import tr as _

from MedSegFMLib.mrml.training.adaptation import Phase

# Scores that differ by less are called the same.
_MARGIN = 0.005
_SCORES = (("dice", _("Dice")), ("agreement", _("Agreement of the planes")))


def lacks(candidates, bases):
    """A sentence about what is missing beside packages; "" if the training can begin.

    Args:
        candidates: The volumes with accepted segments.
        bases: The models whose weights are installed.
    """
    if not bases:
        return _(
            "Adapting starts from the weights of SAM or MedSAM: choose one of them under Model, "
            "and download or import its weights."
        )
    if not candidates:
        return _(
            "Segment something in at least two volumes: one is held back to measure on, the others "
            "are used for training."
        )
    if len(candidates) == 1:
        return _(
            "Only {name} has segments so far; segment something in another volume too, so that one "
            "can be held back to measure on."
        ).format(name=candidates[0].title)
    return ""


def offer(candidates):
    """The training set, in a sentence."""
    return _(
        "The training set has {segments} segments in {volumes} volumes, without flagged ones. The "
        "model that you start from is not changed."
    ).format(segments=sum(len(c.segments) for c in candidates), volumes=len(candidates))


def status(adapting):
    """The present work or the error, and whether it is a warning."""
    phase = adapting.phase
    if phase is Phase.FAILED:
        return adapting.error, True
    if phase is Phase.STOPPED:
        return _("Stopped. Click Continue to resume."), False
    if phase is Phase.STOPPING:
        return _("Saving the training so far… Click Stop now to end it at once."), False
    if phase is Phase.DONE:
        sentence, _better = verdict(adapting.report)
        return sentence, False
    if not adapting.is_busy:
        return "", False
    phrase = adapting.phrase or _("training")
    phrase = phrase[:1].upper() + phrase[1:]
    left = adapting.minutes_left
    if left is None:
        return phrase, False
    if left < 1:
        return _("{phrase}; less than a minute left.").format(phrase=phrase), False
    return _("{phrase}; about {minutes:.0f} min left.").format(phrase=phrase, minutes=left), False


def scores(report, held_back):
    """A table of the scores before and after, as rich text; "" if the report has none."""
    before, after = _sides(report)
    rows = [
        f"<tr><td>{title}</td><td>{before[key]:.3f}</td><td><b>{after[key]:.3f}</b></td></tr>"
        for key, title in _SCORES
        if key in before and key in after
    ]
    if not rows:
        return ""
    head = _("On {name}, which was held back").format(name=escape(held_back))
    columns = f"<th></th><th>{_('before')}</th><th>{_('after')}</th>"
    return f"{head}<table cellpadding='3'><tr>{columns}</tr>{''.join(rows)}</table>"


def verdict(report):
    """Whether the adapted model is better: a sentence, and True, False or None for neither."""
    before, after = _sides(report)
    gains = {key: after[key] - before[key] for key, _t in _SCORES if key in before and key in after}
    if "dice" not in gains:
        return _("The training has finished, but its scores are missing."), None
    if gains["dice"] < -_MARGIN:
        return _(
            "It got worse on the volume that was held back; keep your model, and adapt with more "
            "volumes."
        ), False
    if gains["dice"] > _MARGIN:
        return _("It got better on the volume that was held back."), True
    if gains.get("agreement", 0) > _MARGIN:
        return _("Its segments are as good as before, and its planes agree better."), True
    return _("It makes no difference on the volume that was held back."), None


def _sides(report):
    """The finite scores before and after; none if the report has another form."""
    sides = []
    for name in ("before", "after"):
        found = report.get(name) if isinstance(report, dict) else None
        found = found if isinstance(found, dict) else {}
        numbers = {k: v for k, v in found.items() if isinstance(v, int | float) and v == v}
        sides.append(numbers)
    return sides
