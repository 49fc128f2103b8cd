"""The region of interest of a model for given prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from ..prompts.types import Prompt
from ..prompts.voxels import VoxelMarks, to_voxels
from ..segmenter import Prediction, RegionRule
from ..volumes.geometry import Geometry
from ..volumes.region import Region, shape_triple

# Least margin, in voxels, around every foreground mark.
_MARGIN_AROUND_MARKS = 4


def prompt_region(prompts: Sequence[Prompt], geometry: Geometry, rule: RegionRule) -> Region:
    """The region with every box, mask to start from and foreground mark, and the rule's margins.

    It is the whole volume if there is neither box nor mark, or if there is a text prompt but no
    box.

    Raises:
        PromptError: a prompt is outside the volume.
    """
    marks = to_voxels(prompts, geometry)
    seed = _seed(marks, rule, geometry)
    if seed is None or (marks.phrases and not marks.boxes):
        return Region.whole(geometry.shape_kji)
    if marks.start is not None:
        start = marks.start.region
        seed = seed.union(start.grown(rule.margin(start), geometry.shape_kji))
    return with_marks(seed, prompts, geometry)


def with_marks(region: Region, prompts: Sequence[Prompt], geometry: Geometry) -> Region:
    """The region with every foreground mark of the prompts and a margin around it."""
    marked = to_voxels(prompts, geometry).foreground_kji
    if not len(marked):
        return region
    around = Region.around(marked).grown([_MARGIN_AROUND_MARKS] * 3, geometry.shape_kji)
    return region.union(around)


def grown_region(mask_kji: np.ndarray, region: Region, geometry: Geometry) -> Region | None:
    """The region enlarged at each face that the mask touches, or None if there is none to enlarge.

    Each touched face moves outward by half the region's width, up to the face of the volume.
    """
    start, stop = list(region.start_kji), list(region.stop_kji)
    for axis, width in enumerate(region.shape_kji):
        step = ceil(width / 2)
        if np.take(mask_kji, 0, axis).any():
            start[axis] = max(0, start[axis] - step)
        if np.take(mask_kji, -1, axis).any():
            stop[axis] = min(geometry.shape_kji[axis], stop[axis] + step)
    grown = Region(shape_triple(start), shape_triple(stop))
    return None if grown == region else grown


def growths(most: int) -> Callable[[Prediction], bool]:
    """The rule that a region is enlarged this number of times at most."""
    left = iter(range(most))
    return lambda _prediction: next(left, None) is not None


def _seed(marks: VoxelMarks, rule: RegionRule, geometry: Geometry) -> Region | None:
    if marks.boxes:
        return Region.enclosing(
            [box.grown(rule.margin(box), geometry.shape_kji) for box in marks.boxes]
        )
    if marks.start is not None:
        return marks.start.region
    first = marks.foreground_kji if len(marks.foreground_kji) else marks.background_kji
    if not len(first):
        return None
    return Region.around(first[:1]).grown([rule.click_radius_voxels] * 3, geometry.shape_kji)
