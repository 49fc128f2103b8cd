"""Max and mean pooling of blocks of voxels, for regions too large to process voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SLAB_VOXELS = 1 << 22


def pooled(array_kji: NDArray[Any], factors: Sequence[int], by: Literal["max", "mean"]) -> Floats:
    """The maximum or mean of each block of `factors` voxels, float32.

    A side that is not a multiple of its factor is padded by repeating its last voxel.
    """
    counts = [-(-n // f) for n, f in zip(array_kji.shape, factors, strict=True)]
    cells = np.empty(counts, dtype=np.float32)
    # Slab by slab, so that a large integer volume is never converted to floats as a whole.
    slab = max(1, _SLAB_VOXELS // (array_kji[0].size * factors[0]))
    for start in range(0, counts[0], slab):
        voxels = array_kji[start * factors[0] : (start + slab) * factors[0]]
        cells[start : start + slab] = _pooled_slab(voxels, factors, by)
    return cells


def _pooled_slab(voxels: NDArray[Any], factors: Sequence[int], by: str) -> NDArray[Any]:
    array = np.asarray(voxels, dtype=np.float32)
    ends = [(0, -n % f) for n, f in zip(array.shape, factors, strict=True)]
    if any(end for _, end in ends):
        array = np.pad(array, ends, mode="edge")
    # One axis after another, since each makes the array smaller for the next.
    for axis, factor in enumerate(factors):
        if factor > 1:
            count = array.shape[axis] // factor
            blocks = array.reshape(*array.shape[:axis], count, factor, *array.shape[axis + 1 :])
            array = blocks.max(axis + 1) if by == "max" else blocks.mean(axis + 1, np.float64)
    return array
