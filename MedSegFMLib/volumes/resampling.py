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


def linear_weights(positions: ArrayLike, elements: int) -> Floats:
    """(n, elements) float32: the weights of linear interpolation at n positions along an axis.

    Args:
        positions: In elements, whose centres are whole numbers from 0; ends are repeated beyond.
        elements: The elements along the axis.
    """
    inside = np.asarray(positions, dtype=np.float64).clip(0, elements - 1)
    distance = np.abs(np.arange(elements) - inside[:, None])
    weights: Floats = (1 - distance).clip(0).astype(np.float32)
    return weights


def weighted(array_kji: NDArray[Any], weights_kji: Sequence[Floats | None]) -> Floats:
    """An array with each axis multiplied by a matrix.

    Args:
        array_kji: (K, J, I) of any type.
        weights_kji: For each axis (new, old) float32; None leaves it as it is.

    Returns:
        float32, of the matrices' numbers of rows.
    """
    result = np.asarray(array_kji)
    # The axis that shrinks most comes first, so that the others have less to process.
    steps = [(len(w) / w.shape[1], axis, w) for axis, w in enumerate(weights_kji) if w is not None]
    for _, axis, weights in sorted(steps, key=lambda step: step[:2]):
        k, j, i = result.shape
        result = result.astype(np.float32, copy=False)
        # Each product reads the array as it lies in memory.
        if axis == 0:
            result = (weights @ result.reshape(k, j * i)).reshape(-1, j, i)
        elif axis == 1:
            result = weights @ result
        else:
            result = (result.reshape(k * j, i) @ weights.T).reshape(k, j, -1)
    return np.ascontiguousarray(result, dtype=np.float32)


def resampled(array_kji: NDArray[Any], cells_kji: Sequence[int]) -> Floats:
    """Resample an array (K, J, I) of any type to `cells_kji` cells; float32."""
    pairs = zip(np.shape(array_kji), cells_kji, strict=True)
    return weighted(array_kji, [None if n == m else axis_weights(n, m) for n, m in pairs])


def cell_positions(
    positions_kji: ArrayLike, voxels_kji: Sequence[int], cells_kji: Sequence[int]
) -> Floats:
    """Convert (n, 3) voxel positions to cell positions; both count centres from 0."""
    positions = np.asarray(positions_kji, dtype=np.float64).reshape(-1, 3)
    scale = np.array(cells_kji) / np.array(voxels_kji)
    return np.asarray((positions + 0.5) * scale - 0.5, dtype=np.float32)
