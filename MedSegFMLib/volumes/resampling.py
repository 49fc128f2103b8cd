"""Resampling of a region to another number of cells along each axis of the same extent.

Each axis is resampled by a small matrix: linear interpolation if the number of cells grows; if it
shrinks, the same triangle is widened to the size of a cell, so that no voxel is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


@lru_cache(maxsize=64)
def axis_weights(voxels: int, cells: int) -> Floats:
    """(cells, voxels) float32: the weight of each voxel in each cell; every row sums to 1."""
    width = voxels / cells
    centres = (np.arange(cells) + 0.5) * width - 0.5
    distance = np.abs(np.arange(voxels) - centres.clip(0, voxels - 1)[:, None])
    weights = (1 - distance / max(1.0, width)).clip(0)
    weights /= weights.sum(axis=1, keepdims=True)
    result: Floats = weights.astype(np.float32)
    result.flags.writeable = False
    return result


def resampled(array_kji: NDArray[Any], cells_kji: Sequence[int]) -> Floats:
    """Resample an array (K, J, I) of any type to `cells_kji` cells; float32."""
    result = np.asarray(array_kji)
    # The axis that shrinks most comes first, so that the others have less to process.
    axes = sorted(range(3), key=lambda axis: cells_kji[axis] / array_kji.shape[axis])
    for axis in axes:
        voxels, cells = result.shape[axis], cells_kji[axis]
        if voxels != cells:
            moved = np.moveaxis(result, axis, 0).reshape(voxels, -1).astype(np.float32, copy=False)
            weighted = (axis_weights(voxels, cells) @ moved).reshape(
                cells, *np.moveaxis(result, axis, 0).shape[1:]
            )
            result = np.moveaxis(weighted, 0, axis)
    return np.ascontiguousarray(result, dtype=np.float32)


def cell_positions(
    positions_kji: ArrayLike, voxels_kji: Sequence[int], cells_kji: Sequence[int]
) -> Floats:
    """Convert (n, 3) voxel positions to cell positions; both count centres from 0."""
    positions = np.asarray(positions_kji, dtype=np.float64).reshape(-1, 3)
    scale = np.array(cells_kji) / np.array(voxels_kji)
    return np.asarray((positions + 0.5) * scale - 0.5, dtype=np.float32)
