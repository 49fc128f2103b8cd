"""How far the object reaches where nobody drew a box: as far as what looks like the marks does.

The surroundings of the first marked voxel are flooded at a rising tolerance of intensity until the
flood leaks: it doubles from one tolerance to the next, fills little of the box around it, or meets
a voxel that is marked as background.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...prompts.voxels import Indices, VoxelMarks
from ...volumes.intensities import intensity_bounds, normalised
from ...volumes.masks import bounding_box
from ...volumes.pooling import Floats, pooled
from ...volumes.region import Region, Shape, shape_triple

_MOST_CELLS = 300_000
_TOLERANCES = 0.02 * 1.2 ** np.arange(20)
_NOISE_TOLERANCE = 3.0
_LEAST_CELLS = 20
_LEAK = 2.0
_LEAST_FILLING = 0.4


def flood_region(voxels_kji: NDArray[Any], marks: VoxelMarks, least_reach: Shape) -> Region:
    """The box around what the foreground marks belong to, at least `least_reach` on each side.

    voxels_kji: of any real type; `marks` are counted on it, one foreground mark at least.
    """
    factor = 1
    while voxels_kji.size > _MOST_CELLS * factor**3:
        factor += 1
    factors = tuple(min(factor, n) for n in voxels_kji.shape)
    cells = _smooth(normalised(pooled(voxels_kji, factors, "mean"), intensity_bounds(voxels_kji)))
    inside, outside = (v // factors for v in (marks.foreground_kji, marks.background_kji))
    # The first mark tells where the object is; later ones, at its edge, would flood what is beyond.
    box = bounding_box(_flood(cells, inside[0].tolist(), outside))
    low, high = marks.foreground_kji.min(axis=0), marks.foreground_kji.max(axis=0) + 1
    whole = Region(shape_triple(low), shape_triple(high)).grown(least_reach, voxels_kji.shape)
    if box is not None:
        start = [s.start * f for s, f in zip(box, factors, strict=True)]
        stop = [min(s.stop * f, n) for s, f, n in zip(box, factors, voxels_kji.shape, strict=True)]
        whole = whole.union(Region(shape_triple(start), shape_triple(stop)))
    return whole


def _smooth(cells: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(cells, 1.0, mode="nearest"), dtype=np.float32)


def _flood(cells: Floats, seed: list[int], outside: Indices) -> NDArray[np.bool_]:
    """The cells taken by the flood from `seed` before it leaks, or meets a cell `outside`."""
    from scipy.ndimage import label

    around = cells[tuple(slice(max(0, c - 1), c + 2) for c in seed)]
    contrast = np.abs(cells - around.mean())
    noise = float(np.median(np.abs(np.diff(cells, axis=-1)))) if cells.shape[-1] > 1 else 0.0
    least = min(_NOISE_TOLERANCE * noise, _TOLERANCES[-1])
    last = np.zeros(cells.shape, dtype=bool)
    for tolerance in _TOLERANCES[least <= _TOLERANCES]:
        pieces, _ = label(contrast <= tolerance)
        own = pieces[tuple(seed)]
        wet = pieces == own
        size = int(last.sum())
        if not own:
            continue
        leaks = size >= _LEAST_CELLS and wet.sum() > _LEAK * size
        if leaks or wet[tuple(outside.T)].any() or _filling(wet) < _LEAST_FILLING:
            break
        last = wet
    return last


def _filling(wet: NDArray[np.bool_]) -> float:
    """The part of its box that a flood fills: little, where it runs along thin ways."""
    box = bounding_box(wet)
    return 0.0 if box is None else float(wet[box].mean())
