"""Sentences on the outcome of an answer: the change of the segments, or why there is none."""

from slicer.i18n import tr as _

_MM3_IN_ML = 1000


def sentence(written, logic):
    """The volume that the segments gained and lost.

    Args:
        written: The `Written` of the answer.
        logic: The scene logic.
    """
    added, removed = sum(written.added.values()), sum(written.removed.values())
    if not added and not removed:
        return _("Nothing changed: {reason}.").format(reason=_reason(logic))
    grid = logic.segments.grid(logic.volume.geometry)
    ml = grid.geometry.voxel_volume_mm3 / _MM3_IN_ML
    return _("{added:.2f} ml added, {removed:.2f} ml removed.").format(
        added=added * ml, removed=removed * ml
    )


def _reason(logic):
    """The most probable reason why the segments stayed as they were."""
    if not logic.prompts.entries:
        return _("there are no prompts")
    if logic.masks_limit_answers:
        return _("masking in the Segment Editor leaves no voxel to change")
    if logic.avoids_others:
        return _("the segments fit the prompts already, or other segments are in the way")
    return _("the segments fit the prompts already")
