"""The grid on which ENSAM sees a region: pooled until it fits. Needs numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import VolumeError
from ..networks.ensam_config import padded_side
from ..region import Shape, shape_triple

Floats = NDArray[np.float32]

# The most voxels, padding included, that the network is trained on and sees.
LARGEST_GRID = 4_194_304

# Percentiles over a sample of about so many voxels tell those over all of them.
_SAMPLE_VOXELS = 1_000_000
_PERCENTILES = (0.5, 99.5)


def pool_factors(shape_kji: Sequence[int], largest: int = LARGEST_GRID) -> Shape:
    """By how much to pool a region so that, padded, it has `largest` voxels or less.

    Factors double on all but the axis that is the shortest at that moment, so that slices are kept
    in a thick-slice scan.
    """
    factors = [1, 1, 1]
    shape = list(shape_kji)
    while prod(map(padded_side, shape)) > largest:
        shortest = int(np.argmin(shape))
        for axis in {0, 1, 2} - {shortest}:
            factors[axis] *= 2
            shape[axis] = -(-shape_kji[axis] // factors[axis])
    return shape_triple(factors)


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


def intensity_bounds(array_kji: NDArray[Any]) -> tuple[float, float]:
    """The 0.5 and 99.5 percentile of a region, which become 0 and 1.

    Those of a regular sample where the region is large. Raises VolumeError for NaN or infinity.
    """
    if not (np.isfinite(array_kji.min()) and np.isfinite(array_kji.max())):
        raise VolumeError(
            "The region around the prompts holds NaN or infinite values; replace them before "
            "segmenting."
        )
    step = max(1, round((array_kji.size / _SAMPLE_VOXELS) ** (1 / 3)))
    sample = np.asarray(array_kji[::step, ::step, ::step], dtype=np.float32)
    low, high = np.percentile(sample, _PERCENTILES)
    return float(low), float(high)


def normalised(array_kji: Floats, bounds: tuple[float, float]) -> Floats:
    """Intensities with `bounds` brought to 0 and 1 and clipped there; 0 where both are the same."""
    low, high = bounds
    if low == high:
        return np.zeros_like(array_kji)
    scaled: Floats = (array_kji - np.float32(low)) / np.float32(high - low)
    return scaled.clip(0, 1)
