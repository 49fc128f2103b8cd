"""New marks on voxels that others painted or erased: the mark decides its voxel.

An answer leaves alone what others changed by hand. A click, scribble or lasso that was placed since
the last answer decides its voxels, also those that were changed by hand before. So these voxels
count as the model's from then on, with the value that they have: the answer then changes them as
any other, and undo brings that value back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...prompts.prompt_list import PromptList
from ...prompts.types import Lasso, Point, Prompt, Scribble, as_background
from ...prompts.voxels import to_voxels
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from .grid import SegmentGrid
from .model_voxels import ModelVoxels, tight
from .oriented_images import read_segment

Indices = NDArray[np.int64]


def decided_voxels(
    before: PromptList | None, prompts: PromptList, volume: Geometry, grid: SegmentGrid
) -> dict[int, Indices]:
    """The voxels that marks decide which are new in a prompt list.

    Args:
        before: The prompts that were answered before; None for none.
        prompts: The prompts that are answered now.
        volume: The volume's grid.
        grid: The segmentation's grid.

    Returns:
        By label, (n, 3) indices (k, j, i) of the segmentation's grid.
    """
    known = set(before.entries) if before is not None else set()
    new = [entry for entry in prompts.entries if entry not in known]
    marks = [(n, prompt) for n, prompt in new if isinstance(prompt, Point | Scribble | Lasso)]
    if not marks:
        return {}
    decided = {}
    for label in prompts.labels:
        own: list[Prompt] = []
        for owner, prompt in marks:
            seen = prompt if owner == label else as_background(prompt)
            if seen is not None:
                own.append(seen)
        voxels = to_voxels(own, volume).voxels_kji
        if not grid.is_volume_grid:
            places = grid.geometry.ijk_from_ras(volume.ras_from_ijk(voxels[:, ::-1]))
            voxels = np.rint(places)[:, ::-1].astype(np.int64)
        inside = ((voxels >= 0) & (voxels < grid.geometry.shape_kji)).all(axis=1)
        if inside.any():
            decided[label] = voxels[inside]
    return decided


def absorbed(
    node: Any, segment_id: str, grid: SegmentGrid, known: ModelVoxels | None, voxels: Indices
) -> ModelVoxels | None:
    """The voxels that a segment has from answers, with some of them as they are now.

    Args:
        node: The segmentation.
        segment_id: The segment.
        grid: The segmentation's grid.
        known: The voxels from answers; None if there are none.
        voxels: (n, 3) indices (k, j, i) of the grid, at least one.
    """
    part = Region.around(voxels)
    now = read_segment(node, segment_id, grid, part)
    region = part if known is None else part.union(known.region)
    mask = np.zeros(region.shape_kji, bool) if known is None else known.on(region).copy()
    here, there = (tuple((voxels - np.array(r.start_kji)).T) for r in (region, part))
    mask[here] = now[there]
    found = tight(mask, region)
    return None if found is None else ModelVoxels(*found)
