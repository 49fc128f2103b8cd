"""What the panel says, and when: plain sentences made from the state."""

from slicer.i18n import tr as _

from MedSegFMLib.worker.events import Failed, Noted, Restarted, Started, Stopped


def volume_hint(has_volume, fault):
    """What to do about the volume; empty where one is chosen and fine."""
    if fault:
        return fault
    if not has_volume:
        return _("Load a volume, or click Sample to try it on a phantom.")
    return ""


def prompt_hint(logic, can_run, drawing, waits):
    """What to do next with prompts.

    drawing: what to do in the views while drawing, or None. waits: whether the model waits for Run.
    """
    if logic.volume is None:
        return _("First choose a volume above.")
    if not can_run:
        return _("The model cannot run yet: see what it lacks above, or choose another.")
    if drawing:
        return drawing
    draws = any(name != "text" for name in logic.card.prompts)
    if not logic.prompts.entries and logic.classes:
        return _("Segment all that the model knows, or name one of it.")
    if not logic.prompts.entries and not draws:
        return _("Type what to segment.")
    if not logic.prompts.entries:
        return _("Draw a box around the object, or click on it.")
    if waits:
        return _("Click Run to segment with these prompts, or add more first.")
    if not draws:
        return _("Type what else to segment; mend segments in the Segment Editor.")
    return _("Click where the segment is wrong, or go on with the next segment.")


def locked_sentence(name):
    """Why an answer changed nothing."""
    return _("{name} is locked and stays as it is; untick Lock before the next prompt.").format(
        name=name
    )


def change_text(written, prompts):
    """Voxels gained and lost by the last prompt, by segment."""
    lines = [
        _("{name}: +{added:,} −{removed:,} voxels").format(
            name=prompts.name(label),
            added=written.added.get(label, 0),
            removed=written.removed.get(label, 0),
        )
        for label in prompts.labels
        if written.added.get(label) or written.removed.get(label)
    ]
    return "\n".join(lines)


def event_sentence(event):
    """A worker's event in words, and whether it is a warning; None: there is nothing to say."""
    if isinstance(event, Started):
        return _("The model's process is ready ({seconds:.1f} s).").format(
            seconds=event.seconds
        ), False
    if isinstance(event, Noted):
        return event.sentence, False
    if isinstance(event, Failed):
        return str(event.error), True
    if isinstance(event, Stopped):
        return _("Stopped; your prompts and segments are as they were."), False
    if isinstance(event, Restarted):
        if event.after_cancel:
            return _("The model did not stop when asked, so its process was ended."), False
        return _(
            "The model's process ended unexpectedly and was started again; nothing was lost."
        ), True
    return None


def consistency_hint(compares, prompts, found, predicting, comparing):
    """What the comparison of the planes waits for, or costs; empty where it is there."""
    if not compares:
        return _(
            "After each answer the model then looks along the other planes too, which takes up to "
            "three times as long; your segment comes first."
        )
    if comparing:
        return _("Comparing the planes…")
    if not prompts.entries:
        return _("Draw a box or click; then the planes are compared.")
    if predicting:
        return _("The planes are compared when the segment is there.")
    if found is None:
        return _("This segment was not compared; its next prompt does that.")
    return ""


def consistency_scores(found):
    """How well the planes agree, and how good the segment probably is."""
    sentences = []
    if found.agreement is None:
        sentences.append(_("The model looked at one plane alone, so there is nothing to compare."))
    else:
        sentences.append(_("The planes agree to {x:.2f}.").format(x=found.agreement))
    if found.expected_dice is not None:
        sentences.append(_("Expected Dice: about {x:.2f}.").format(x=found.expected_dice))
    if not found.hot_spots:
        sentences.append(_("No part is likely to be wrong."))
    return " ".join(sentences)


def spot_sentence(spots, index):
    """Which spot the views show, and what is probably wrong there."""
    spot = spots[index]
    words = _("probably missing") if spot.positive else _("probably too much")
    return _("Spot {n} of {count}: {voxels:,} voxels, {words}").format(
        n=index + 1, count=len(spots), voxels=spot.voxels, words=words
    )
