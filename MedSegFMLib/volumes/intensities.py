"""Voxel intensities: value checks, percentile bounds, normalisation and CT detection."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VolumeError

Floats = NDArray[np.float32]

# Percentiles over a sample of about this size approximate those over all voxels.
_SAMPLE_VOXELS = 1_000_000
_PERCENTILES = (0.5, 99.5)


def looks_like_ct(array_kji: NDArray[Any]) -> bool:
    """Whether voxels are Hounsfield units: signed integers with air and values above soft tissue.

    At least half a percent of them is below -500 and half a percent above 100.
    """
    if array_kji.dtype.kind != "i":
        return False
    low, high = np.percentile(regular_sample(array_kji), _PERCENTILES)
    return bool(low < -500 and high > 100)


def intensity_bounds(array_kji: NDArray[Any]) -> tuple[float, float]:
    """The 0.5 and 99.5 percentiles of a region, which normalisation maps to 0 and 1.

    For a large region they are computed from a regular sample.

    Raises:
        VolumeError: values are NaN, infinite or beyond 32-bit floats.
    """
    check_values(array_kji)
    low, high = np.percentile(regular_sample(array_kji), _PERCENTILES)
    return float(low), float(high)


def positive_bounds(array_kji: NDArray[Any]) -> tuple[float, float]:
    """The `intensity_bounds` of the values above 0 only; of all values if none is."""
    check_values(array_kji)
    sample = regular_sample(array_kji)
    positive = sample[sample > 0]
    low, high = np.percentile(positive if len(positive) else sample, _PERCENTILES)
    return float(low), float(high)


def check_values(
    array_kji: NDArray[Any], what: str = "The region around the prompts"
) -> tuple[float, float]:
    """The lowest and highest value of an array.

    Args:
        array_kji: the values.
        what: the subject of the error message.

    Raises:
        VolumeError: values are NaN, infinite or beyond 32-bit floats.
    """
    extremes = float(array_kji.min()), float(array_kji.max())
    if not np.isfinite(extremes).all():
        raise VolumeError(
            f"{what} contains NaN or infinite values; replace them before segmenting."
        )
    if max(map(abs, extremes)) > float(np.finfo(np.float32).max):
        raise VolumeError(
            f"{what} contains values from {extremes[0]:g} to {extremes[1]:g}, "
            "which exceed the range of 32-bit floats; rescale the volume."
        )
    return extremes


def normalised(array_kji: Floats, bounds: tuple[float, float]) -> Floats:
    """Intensities with `bounds` mapped to 0 and 1 and clipped there; 0 if both bounds are equal."""
    low, high = bounds
    if low == high:
        return np.zeros_like(array_kji)
    # Clipped first, since a single extreme value would overflow.
    scaled: Floats = array_kji.clip(np.float32(low), np.float32(high))
    scaled -= np.float32(low)
    scaled /= np.float32(high - low)
    return scaled.clip(0, 1, out=scaled)


def regular_sample(array_kji: NDArray[Any]) -> NDArray[np.float64]:
    """Voxels (K, J, I) at regular steps: all of a small region, about a million of a large one."""
    step = max(1, round((array_kji.size / _SAMPLE_VOXELS) ** (1 / 3)))
    return array_kji[::step, ::step, ::step].astype(np.float64)
