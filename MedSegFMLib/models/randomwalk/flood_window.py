"""The extent of an object without a box: as far as voxels resemble the marks.

The surroundings of the first marked voxel are flooded with a rising intensity tolerance until the
flood leaks: it doubles from one tolerance to the next, fills little of the box around it, or
reaches a voxel that is marked as background.
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
    """The box around the object of the foreground marks, at least `least_reach` on each side.

    Args:
        voxels_kji: Of any real type.
        marks: In voxels of that array, with at least one foreground mark.
        least_reach: In voxels along k, j, i.
    """
    factor = 1
    while voxels_kji.size > _MOST_CELLS * factor**3:
        factor += 1
    factors = tuple(min(factor, n) for n in voxels_kji.shape)
    # First, as they refuse values that 32-bit floats do not hold.
    bounds = intensity_bounds(voxels_kji)
    cells = _smooth(normalised(pooled(voxels_kji, factors, "mean"), bounds))
    inside, outside = (v // factors for v in (marks.foreground_kji, marks.background_kji))
    # The first mark locates the object; later ones, at its edge, would flood what is beyond it.
    box = bounding_box(_flood(cells, inside[0].tolist(), outside))
    whole = Region.around(marks.foreground_kji).grown(least_reach, voxels_kji.shape)
    if box is not None:
        start = [s.start * f for s, f in zip(box, factors, strict=True)]
        stop = [min(s.stop * f, n) for s, f, n in zip(box, factors, voxels_kji.shape, strict=True)]
        whole = whole.union(Region(shape_triple(start), shape_triple(stop)))
    return whole


def _smooth(cells: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(cells, 1.0, mode="nearest"), dtype=np.float32)


def _flood(cells: Floats, seed: list[int], outside: Indices) -> NDArray[np.bool_]:
    """The cells flooded from `seed` before the flood leaks or reaches a cell `outside`."""
    from scipy.ndimage import label

    around = cells[tuple(slice(max(0, c - 1), c + 2) for c in seed)]
    contrast = np.abs(cells - around.mean())
    noise = float(np.median(np.abs(np.diff(cells, axis=-1)))) if cells.shape[-1] > 1 else 0.0
    least = min(_NOISE_TOLERANCE * noise, _TOLERANCES[-1])
    last = np.zeros(cells.shape, dtype=bool)
    for tolerance in _TOLERANCES[least <= _TOLERANCES]:
        pieces, _ = label(contrast <= tolerance)
        label_at_seed = pieces[tuple(seed)]
        flooded = pieces == label_at_seed
        size = int(last.sum())
        if not label_at_seed:
            continue
        leaks = size >= _LEAST_CELLS and flooded.sum() > _LEAK * size
        if leaks or flooded[tuple(outside.T)].any() or _filling(flooded) < _LEAST_FILLING:
            break
        last = flooded
    return last


def _filling(flooded: NDArray[np.bool_]) -> float:
    """The fraction of its box that a flood fills: little, if it runs along thin channels."""
    box = bounding_box(flooded)
    return 0.0 if box is None else float(flooded[box].mean())
