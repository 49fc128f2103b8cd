"""Sentences on the outcome of an answer: the change of the segments, or why there is none."""

from __future__ import annotations

from ...consistency.lower_bound import SAYS_NOTHING, UNLIKE_DOUBT, UNLIKE_SIZE
from ...consistency.stopping import is_settled
from ..logic import SegmentationLogic
from ..updates import Written
from .translation import tr as _

_MM3_IN_ML = 1000
# For prompts that no bound is calibrated for, none is expected.
_UNLIKE = {
    UNLIKE_SIZE: _("No calibration case has a segment of this size, so its Dice has no bound."),
    UNLIKE_DOUBT: _("No calibration case is as doubtful, so the Dice has no bound."),
    SAYS_NOTHING: _("The segment is so doubtful that no bound of its Dice can be given."),
}


def sentence(written: Written, logic: SegmentationLogic) -> str:
    """The volume that the segments gained and lost, and how good the current one is.

    Args:
        written: The `Written` of the answer.
        logic: The scene logic.
    """
    if logic.questions.place is not None:
        return _("Nothing is segmented yet: choose its place.")
    parts = (_change(written, logic), _bound(written, logic), _settled(written, logic))
    return " ".join(part for part in parts if part)


def _bound(written: Written, logic: SegmentationLogic) -> str:
    """The least Dice of the current segment; "" for a model that is not calibrated."""
    bound = written.lower_bounds.get(logic.current_label)
    if bound is None:
        return ""
    if bound.value is None:
        return _UNLIKE.get(bound.unlike, "")
    return _("Dice at least {x:.2f} in 9 of 10 such cases.").format(x=bound.value)


def _settled(written: Written, logic: SegmentationLogic) -> str:
    """A sentence if the last click on the current segment changed little; else ""."""
    label = logic.current_label
    is_measured = label in written.lower_bounds
    if not is_measured or written.clicked != label or len(logic.prompts.own(label)) < 2:
        return ""
    voxels, added = written.voxels.get(label, 0), written.added.get(label, 0)
    if not is_settled(voxels, added, written.removed.get(label, 0)):
        return ""
    return _("The last click changed little; another one is not expected to help much.")


def _change(written: Written, logic: SegmentationLogic) -> str:
    added, removed = sum(written.added.values()), sum(written.removed.values())
    if not added and not removed:
        return _("Nothing changed: {reason}.").format(reason=_reason(logic))
    grid = logic.segments.grid(logic.require_volume().geometry)
    ml = grid.geometry.voxel_volume_mm3 / _MM3_IN_ML
    return _("{added:.2f} ml added, {removed:.2f} ml removed.").format(
        added=added * ml, removed=removed * ml
    )


def _reason(logic: SegmentationLogic) -> str:
    """The most probable reason why the segments stayed as they were."""
    if not logic.prompts.entries:
        return _("there are no prompts")
    if logic.limits.are_masked:
        return _("masking in the Segment Editor leaves no voxel to change")
    if logic.limits.avoid_others:
        return _("the segments fit the prompts already, or other segments are in the way")
    return _("the segments fit the prompts already")
