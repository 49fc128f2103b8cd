"""Sentences on the volume, prompts, segments, the worker and the planes."""

from __future__ import annotations

from collections.abc import Sequence

from ...consistency import Consistency, HotSpot
from ...prompts.prompt_list import PromptList
from ...worker.events import Failed, Noted, Restarted, Started, Stopped
from ..logic import SegmentationLogic
from ..updates import Written
from .translation import tr as _


def volume_hint(has_volume: bool, fault: str) -> str:
    """A sentence about a missing or refused volume; "" if one is chosen and fine."""
    if fault:
        return fault
    if not has_volume:
        return _("Load a volume, or click Sample to try it on a phantom.")
    return ""


def prompt_hint(logic: SegmentationLogic, can_run: bool, drawing: str | None, waits: bool) -> str:
    """The next thing to do with prompts.

    Args:
        logic: The scene logic.
        can_run: Whether packages and weights of the model are installed.
        drawing: What to do in the views while drawing; None if nothing is drawn.
        waits: Whether a request waits for Run.
    """
    if logic.volume is None:
        return _("First choose a volume above.")
    if not can_run:
        return _("The model cannot run yet; see above what is missing, or choose another model.")
    if drawing:
        return drawing
    draws = any(name != "text" for name in logic.card.prompts)
    if not logic.prompts.entries and logic.classes:
        return _("Segment all classes of the model, or type the name of one.")
    if not logic.prompts.entries and not draws:
        return _("Type what to segment.")
    if not logic.prompts.entries:
        return _("Draw a box around the object, or click on it.")
    if waits:
        return _("Click Run to segment with these prompts, or add more first.")
    if not draws:
        return _("Type what else to segment, or correct segments in the Segment Editor.")
    return _("Click on a mistake of the segment, or continue with the next segment.")


def segment_hint(logic: SegmentationLogic) -> str:
    """A sentence on the next prompt and the selected segment; "" if that is plain to see.

    Args:
        logic: The scene logic.
    """
    chosen, node = logic.objects.chosen_segment, logic.segments.node
    segment = None if not chosen or node is None else node.GetSegmentation().GetSegment(chosen)
    if segment is not None and "mask" not in logic.card.prompts:
        return _("{title} cannot refine {name}: it takes no masks; choose another model.").format(
            title=logic.card.title, name=segment.GetName()
        )
    if segment is not None:
        return _("The next prompt refines {name}; Undo brings back what it has now.").format(
            name=segment.GetName()
        )
    if not logic.prompts.labels:
        return _("The first prompt starts a segment; select one to refine it instead.")
    return ""


def locked_sentence(name: str) -> str:
    """The reason why an answer changed nothing: the segment is locked."""
    return _("{name} is locked and was not changed; clear Lock before the next prompt.").format(
        name=name
    )


def treated(name: str, is_changed: bool) -> str:
    """The result of a treatment as a sentence.

    Args:
        name: The name of the segment.
        is_changed: Whether any voxel changed.
    """
    if is_changed:
        return _("{name} was changed; Undo restores it.").format(name=name)
    return _("Nothing of {name} had to change.").format(name=name)


def no_slices(first: int, last: int) -> str:
    """The reason why slices cannot be frozen: the first is after the last."""
    return _(
        "The slices {first} to {last} are none; the last must not be before the first."
    ).format(first=first, last=last)


def change_text(written: Written, prompts: PromptList) -> str:
    """Voxels that each segment gained and lost with the last prompt, a line for each."""
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


def event_sentence(event: object) -> tuple[str, bool] | None:
    """A sentence for an event of the worker, and whether it is a warning; None if there is none."""
    if isinstance(event, Started):
        return _("The model's process is ready ({seconds:.1f} s).").format(
            seconds=event.seconds
        ), False
    if isinstance(event, Noted):
        return event.sentence, False
    if isinstance(event, Failed):
        return str(event.error), True
    if isinstance(event, Stopped):
        return _("Stopped; your prompts and segments are unchanged."), False
    if isinstance(event, Restarted):
        if event.after_cancel:
            return _("The model did not stop in time, so its process was ended."), False
        return _(
            "The model's process ended unexpectedly and was restarted; nothing was lost."
        ), True
    return None


def consistency_hint(
    is_on: bool,
    prompts: PromptList,
    found: Consistency | None,
    predicting: bool,
    measuring: bool,
) -> str:
    """A sentence about a missing measurement of the planes; "" if it is there.

    Args:
        is_on: Whether the agreement of the planes is measured.
        prompts: The present prompts.
        found: The result for the current segment; None if there is none.
        predicting: Whether an answer is awaited.
        measuring: Whether the measurement is awaited.
    """
    if not is_on:
        return _(
            "After each answer the model also segments along the other planes, which takes up to "
            "three times as long. Your segment comes first."
        )
    if measuring:
        return _("Comparing the planes…")
    if not prompts.entries:
        return _("Draw a box or click to have the planes compared.")
    if predicting:
        return _("The planes are compared once the segment is ready.")
    if found is None:
        return _("This segment has not been compared yet; its next prompt does that.")
    return ""


def consistency_scores(found: Consistency) -> str:
    """How well the planes agree, and the Dice to expect."""
    sentences = []
    if found.agreement is None:
        sentences.append(_("The model used only one plane, so there is nothing to compare."))
    else:
        sentences.append(_("Agreement of the planes: {x:.2f}.").format(x=found.agreement))
    if found.expected_dice is not None:
        sentences.append(_("Expected Dice: about {x:.2f}.").format(x=found.expected_dice))
    if not found.hot_spots:
        sentences.append(_("The planes are in doubt about no part."))
    return " ".join(sentences)


def doubt_question(segment: str) -> str:
    """The question about the doubtful position, which the user answers with a click."""
    return _("Does the place with the diamond belong to {segment}?").format(segment=segment)


def spot_sentence(spots: Sequence[HotSpot], index: int) -> str:
    """The spot that the views show, and what may be wrong there."""
    spot = spots[index]
    judgement = _("may be missing") if spot.positive else _("may be too much")
    return _("Spot {n} of {count}: {voxels:,} voxels, {judgement}").format(
        n=index + 1, count=len(spots), voxels=spot.voxels, judgement=judgement
    )
