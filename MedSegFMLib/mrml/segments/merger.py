"""Wanted voxels into segments, and back out of them.

The voxels that a segment gains go through Slicer's masking. It loses only voxels that an answer
put there, so no masking stands in the way. If a write took voxels from a neighbour (overwrite
modes), the neighbour gets them back when the answer no longer holds them: the same prompts leave
the same scene, whatever was tried in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...volumes.region import Region, on_region
from .editor import SegmentEditor
from .grid import SegmentGrid
from .masking import Masking, is_locked
from .model_voxels import ModelVoxels, merge, tight
from .oriented_images import Mask, read_segment


@dataclass(frozen=True, eq=False)
class Change:
    """The effect of a write on one segment.

    Attributes:
        region: The part of the segmentation's grid where voxels changed; None if none did.
        added, removed: bool, (K, J, I) of the region.
        from_model: The voxels that the segment has from the answer now; None if it has none.
    """

    region: Region | None
    added: Mask
    removed: Mask
    from_model: ModelVoxels | None


@dataclass(frozen=True, eq=False)
class _Plan:
    """A write to one segment: the region that matters, and the tight part of it that changes."""

    region: Region
    before: Mask
    foreign: Mask
    part: Region | None
    current: Mask
    added: Mask
    removed: Mask


class SegmentMerger:
    """Brings segments of one segmentation to wanted voxels, and leaves alone what others drew.

    Args:
        editor: The segment editor that writes.
    """

    def __init__(self, editor: SegmentEditor) -> None:
        self._editor = editor
        # By the segment that took them and the one that lost them.
        self._taken: dict[tuple[str, str], ModelVoxels] = {}

    def forget(self) -> None:
        """Forget which segment took voxels from which: another segmentation comes."""
        self._taken.clear()

    def write(
        self,
        segmentation_node: Any,
        grid: SegmentGrid,
        wanted: Mapping[str, ModelVoxels],
        from_model: Mapping[str, ModelVoxels],
        masking: Masking,
    ) -> dict[str, Change]:
        """Bring segments from the last answer to the wanted voxels.

        Args:
            segmentation_node: The segmentation, which the editor must look at.
            grid: Its grid.
            wanted: The voxels that each segment shall have, by its identifier.
            from_model: The voxels that segments have from the last answer.
            masking: Limits to what may be gained.

        Returns:
            What was done, by segment; locked segments and those that are gone are left out.
        """
        plans: dict[str, _Plan] = {}
        for segment_id, new in wanted.items():
            segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
            if segment is None or is_locked(segmentation_node, segment_id):
                continue
            old = from_model.get(segment_id)
            region = new.region if old is None else new.region.union(old.region)
            current = read_segment(segmentation_node, segment_id, grid, region)
            plans[segment_id] = _planned(region, current, old, new)
        for segment_id, plan in plans.items():
            if plan.part is not None and plan.removed.any():
                self._remove(segmentation_node, grid, segment_id, plan)
        for segment_id, plan in plans.items():
            if plan.part is not None and plan.added.any():
                self._add(segmentation_node, grid, segment_id, plan, masking)
        return {
            segment_id: _change(segmentation_node, grid, segment_id, plan)
            for segment_id, plan in plans.items()
        }

    def _remove(self, node: Any, grid: SegmentGrid, segment_id: str, plan: _Plan) -> None:
        region, voxels = plan.part, plan.removed
        assert region is not None, "something is removed"
        self._editor.remove(grid, segment_id, voxels, region)
        for (owner, other), taken in list(self._taken.items()):
            if owner != segment_id:
                continue
            back = taken.on(region) & voxels
            if not back.any():
                continue
            left = taken.mask_kji & ~on_region(back, region, taken.region)
            self._taken[owner, other] = ModelVoxels(taken.region, left)
            if node.GetSegmentation().GetSegment(other) is not None:
                self._editor.add(grid, other, back, region)

    def _add(
        self, node: Any, grid: SegmentGrid, segment_id: str, plan: _Plan, masking: Masking
    ) -> None:
        region, voxels = plan.part, plan.added
        assert region is not None, "something is added"
        before: dict[str, Mask] = {}
        if masking.overwrite != "none":
            for other in node.GetSegmentation().GetSegmentIDs():
                theirs = read_segment(node, other, grid, region)
                if other == segment_id or not (theirs & voxels).any():
                    continue
                if is_locked(node, other):
                    voxels = voxels & ~theirs
                else:
                    before[other] = theirs & voxels
        if voxels.any():
            self._editor.add(grid, segment_id, voxels, region, masking)
        for other, theirs in before.items():
            lost = theirs & ~read_segment(node, other, grid, region)
            if lost.any():
                self._note_taken(segment_id, other, ModelVoxels(region, lost))

    def _note_taken(self, owner: str, other: str, lost: ModelVoxels) -> None:
        known = self._taken.get((owner, other))
        if known is not None:
            region = known.region.union(lost.region)
            lost = ModelVoxels(region, known.on(region) | lost.on(region))
        self._taken[owner, other] = lost


def _planned(region: Region, current: Mask, old: ModelVoxels | None, new: ModelVoxels) -> _Plan:
    before = np.zeros_like(current) if old is None else on_region(old.mask_kji, old.region, region)
    found = merge(current, before, on_region(new.mask_kji, new.region, region))
    changed = tight(found.added | found.removed, region)
    if changed is None:
        return _Plan(region, before, found.foreign, None, current, found.added, found.removed)
    part, inside = changed[0], changed[0].relative_to(region).slices
    return _Plan(
        region,
        before,
        found.foreign,
        part,
        current,
        np.ascontiguousarray(found.added[inside]),
        np.ascontiguousarray(found.removed[inside]),
    )


def _change(node: Any, grid: SegmentGrid, segment_id: str, plan: _Plan) -> Change:
    """The change that a write made; masking may have kept the segment from gaining all voxels."""
    now = plan.current
    added, removed = np.zeros_like(plan.added), np.zeros_like(plan.removed)
    if plan.part is not None:
        inside = plan.part.relative_to(plan.region).slices
        there, before = read_segment(node, segment_id, grid, plan.part), now[inside]
        added, removed = there & ~before, before & ~there
        now = now.copy()
        now[inside] = there
    kept = tight(np.where(plan.foreign, plan.before, now), plan.region)
    return Change(plan.part, added, removed, None if kept is None else ModelVoxels(*kept))
