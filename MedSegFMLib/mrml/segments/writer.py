"""Answers into segments, and back out of them.

What a segment gains goes through Slicer's masking. What it loses is only what answers put there,
so that no masking stands in the way. Where a write took voxels from a neighbour (overwrite modes),
the neighbour gets them back when the answer no longer holds them: the same prompts leave the same
scene, whatever was tried in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...volumes.region import Region
from .editor import SegmentEditor
from .grid import SegmentGrid
from .masking import Masking, is_locked
from .model_voxels import Holding, Merge, merge, tight
from .oriented_images import Mask


@dataclass(frozen=True, eq=False)
class Change:
    """What a write did to one segment on `region` of the segmentation's grid (bool arrays)."""

    region: Region
    added: Mask
    removed: Mask
    holding: Holding


@dataclass(frozen=True, eq=False)
class _Plan:
    region: Region
    current: Mask
    held: Mask
    merge: Merge


class SegmentWriter:
    """Writes what answers say to the segments of one segmentation node."""

    def __init__(self, editor: SegmentEditor) -> None:
        self._editor = editor
        self._taken: dict[tuple[str, str], Holding] = {}

    def forget(self) -> None:
        """Forget what was taken from whom, as another segmentation comes."""
        self._taken.clear()

    def write(
        self,
        segmentation_node: Any,
        grid: SegmentGrid,
        wanted: Mapping[str, Holding],
        held: Mapping[str, Holding],
        masking: Masking,
    ) -> dict[str, Change]:
        """Bring each segment of `wanted` from what it holds from answers to that.

        The editor must look at `segmentation_node`. Locked segments and segments that are gone
        stay as they are and are not in the result.
        """
        plans: dict[str, _Plan] = {}
        for segment_id, new in wanted.items():
            if segmentation_node.GetSegmentation().GetSegment(segment_id) is None:
                continue
            if is_locked(segmentation_node, segment_id):
                continue
            old = held.get(segment_id)
            region = new.region if old is None else new.region.union(old.region)
            current = grid.read(segmentation_node, segment_id, region)
            before = np.zeros_like(current) if old is None else old.on(region)
            merged = merge(current, before, new.on(region))
            plans[segment_id] = _Plan(region, current, before, merged)
        for segment_id, plan in plans.items():
            self._remove(segmentation_node, grid, segment_id, plan)
        for segment_id, plan in plans.items():
            self._add(segmentation_node, grid, segment_id, plan, masking)
        changes = {}
        for segment_id, plan in plans.items():
            now = grid.read(segmentation_node, segment_id, plan.region)
            holding = Holding(plan.region, np.where(plan.merge.foreign, plan.held, now))
            part = tight(holding.mask_kji, holding.region)
            changes[segment_id] = Change(
                plan.region,
                now & ~plan.current,
                plan.current & ~now,
                # The first voxel stands for an answer that holds none.
                Holding(*part) if part else Holding(*_first_voxel(holding)),
            )
        return changes

    def _remove(self, node: Any, grid: SegmentGrid, segment_id: str, plan: _Plan) -> None:
        part = tight(plan.merge.removed, plan.region)
        if part is None:
            return
        region, voxels = part
        self._editor.remove(grid, segment_id, voxels, region)
        for (owner, other), taken in list(self._taken.items()):
            if owner != segment_id:
                continue
            back = taken.on(region) & voxels
            if not back.any():
                continue
            self._taken[owner, other] = Holding(
                taken.region, taken.mask_kji & ~Holding(region, back).on(taken.region)
            )
            if node.GetSegmentation().GetSegment(other) is not None:
                self._editor.add(grid, other, back, region, Masking())

    def _add(
        self, node: Any, grid: SegmentGrid, segment_id: str, plan: _Plan, masking: Masking
    ) -> None:
        part = tight(plan.merge.added, plan.region)
        if part is None:
            return
        region, voxels = part
        before: dict[str, Mask] = {}
        if masking.overwrite != "none":
            for other in node.GetSegmentation().GetSegmentIDs():
                theirs = grid.read(node, other, region)
                if other == segment_id or not (theirs & voxels).any():
                    continue
                if is_locked(node, other):
                    voxels = voxels & ~theirs
                else:
                    before[other] = theirs & voxels
        self._editor.add(grid, segment_id, voxels, region, masking)
        for other, theirs in before.items():
            lost = theirs & ~grid.read(node, other, region)
            if lost.any():
                self._note_taken(segment_id, other, Holding(region, lost))

    def _note_taken(self, owner: str, other: str, lost: Holding) -> None:
        known = self._taken.get((owner, other))
        if known is not None:
            region = known.region.union(lost.region)
            lost = Holding(region, known.on(region) | lost.on(region))
        self._taken[owner, other] = lost


def _first_voxel(holding: Holding) -> tuple[Region, Mask]:
    start = holding.region.start_kji
    return Region.whole((1, 1, 1)).shifted(start), np.zeros((1, 1, 1), dtype=bool)
