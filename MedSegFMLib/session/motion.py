"""How far an object has moved from one frame to the next, in whole voxels."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volumes.masks import bounding_box
from ..volumes.region import Region, Shape, shape_triple

# The surroundings that are compared with the object, and how far it may move, as parts of its
# extent, with the least number of voxels.
_AROUND, _AROUND_VOXELS = 0.25, 2
_REACH, _REACH_VOXELS = 0.75, 4
# A shift counts only if the frames agree better by this much, as a correlation.
_LEAST_GAIN = 0.02
# The least correlation with which an object is found, of many voxels and of very few.
_LEAST_LIKENESS, _SURE_LIKENESS, _CHANCE = 0.2, 0.6, 6.0
_MOST_VOXELS = 2_000_000


def shift_of(
    before_kji: NDArray[Any], after_kji: NDArray[Any], mask_kji: NDArray[np.bool_]
) -> Shape | None:
    """The shift along k, j and i with which an object and its surroundings are found again.

    It is that of the highest normalized cross-correlation (Lewis 1995, "Fast normalized
    cross-correlation"), computed by FFT.

    Args:
        before_kji: (K, J, I), the frame in which the object is known.
        after_kji: (K, J, I), the frame in which it is looked for.
        mask_kji: bool, (K, J, I), the object in the first one; not empty.

    Returns:
        Whole voxels; (0, 0, 0) if no shift is better than none; None if the object is not found.
    """
    box = bounding_box(mask_kji)
    if box is None:
        return None
    region = Region.from_slices(box)
    shape = shape_triple(mask_kji.shape)
    around = [max(_AROUND_VOXELS, ceil(_AROUND * n)) for n in region.shape_kji]
    # An axis of one slice leaves nowhere to move.
    reach = np.array(
        [
            min(max(_REACH_VOXELS, ceil(_REACH * n)), whole - 1)
            for n, whole in zip(region.shape_kji, shape, strict=True)
        ]
    )
    part = region.grown(around, shape)
    step = max(1, ceil((part.size / _MOST_VOXELS) ** (1 / 3)))
    reach = reach // step * step
    template = np.asarray(before_kji[part.slices], np.float64)
    searched = _surroundings(after_kji, part, reach)
    every = (slice(None, None, step),) * 3
    scores = _correlations(template[every], searched[every])
    zero = scores[tuple(int(r) // step for r in reach)]
    best = np.unravel_index(int(np.argmax(scores)), scores.shape)
    # Of noise, the best of many correlations is some times the standard deviation of one.
    chance = _CHANCE / np.sqrt(template[every].size)
    if scores[best] < max(_LEAST_LIKENESS, min(chance, _SURE_LIKENESS)):
        return None
    if not scores[best] > zero + _LEAST_GAIN:
        return (0, 0, 0)
    return shape_triple(int(n) * step - int(r) for n, r in zip(best, reach, strict=True))


def moved(mask_kji: NDArray[np.bool_], shift_kji: Shape) -> NDArray[np.bool_]:
    """A mask (K, J, I) shifted by whole voxels; what leaves the volume is lost."""
    result = np.zeros_like(mask_kji)
    into, out_of = [], []
    for n, size in zip(shift_kji, mask_kji.shape, strict=True):
        into.append(slice(max(0, n), size + min(0, n)))
        out_of.append(slice(max(0, -n), size + min(0, -n)))
    result[tuple(into)] = mask_kji[tuple(out_of)]
    return result


def _surroundings(
    array_kji: NDArray[Any], part: Region, reach: NDArray[np.int64]
) -> NDArray[np.float64]:
    """A part of a volume with `reach` voxels on each side, those outside like the nearest."""
    axes = [
        np.clip(np.arange(start - r, stop + r), 0, size - 1)
        for start, stop, r, size in zip(
            part.start_kji, part.stop_kji, reach.tolist(), array_kji.shape, strict=True
        )
    ]
    return np.asarray(array_kji[np.ix_(*axes)], np.float64)


def _correlations(
    template: NDArray[np.float64], searched: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The correlation of a template with every part of its size; 0 for a constant part."""
    from scipy.signal import fftconvolve

    count = template.size
    # Both around zero, as squares of large values would lose digits.
    middle = float(searched.mean())
    searched = searched - middle
    centred = template - template.mean()
    ones = np.ones(template.shape)
    product = fftconvolve(searched, centred[::-1, ::-1, ::-1], mode="valid")
    total = fftconvolve(searched, ones, mode="valid")
    squares = fftconvolve(searched**2, ones, mode="valid")
    spread = np.maximum(squares - total**2 / count, 0) * float((centred**2).sum())
    least = 1e-9 * max(float(spread.max()), 1e-300)
    return np.where(spread > least, product / np.sqrt(np.maximum(spread, least)), 0.0)
