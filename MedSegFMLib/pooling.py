"""Blocks of voxels taken together, where a region is too large to be seen voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


def pooled(array_kji: NDArray[Any], factors: Sequence[int], by: Literal["max", "mean"]) -> Floats:
    """The maximum or mean of each block of `factors` voxels, float32.

    A side that the factor does not divide is rounded up: its last block repeats the last voxel.
    """
    array = np.asarray(array_kji, dtype=np.float32)
    ends = [(0, -n % f) for n, f in zip(array.shape, factors, strict=True)]
    if any(end for _, end in ends):
        array = np.pad(array, ends, mode="edge")
    # One axis after the other: the array shrinks on the way.
    for axis, factor in enumerate(factors):
        if factor > 1:
            count = array.shape[axis] // factor
            blocks = array.reshape(*array.shape[:axis], count, factor, *array.shape[axis + 1 :])
            reduced = blocks.max(axis + 1) if by == "max" else blocks.mean(axis + 1)
            array = np.asarray(reduced, dtype=np.float32)
    return np.asarray(array, dtype=np.float32, order="C")


def pooled_positions(positions_kji: ArrayLike, factors: Sequence[int]) -> Floats:
    """(n, 3) voxel positions on the pooled grid: the centre of a block is its mean position."""
    positions = np.asarray(positions_kji, dtype=np.float64).reshape(-1, 3)
    return np.asarray((positions + 0.5) / np.array(factors) - 0.5, dtype=np.float32)
