"""What voxel values mean, whatever the scanner: bounds, windows, whether they are CT."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VolumeError

Floats = NDArray[np.float32]

# Percentiles over a sample of about so many voxels tell those over all of them.
_SAMPLE_VOXELS = 1_000_000
_PERCENTILES = (0.5, 99.5)


def looks_like_ct(array_kji: NDArray[Any]) -> bool:
    """Whether voxels are Hounsfield units: signed integers with air and more than soft tissue.

    Half a percent at least lies below -500 and half a percent above 100.
    """
    if array_kji.dtype.kind != "i":
        return False
    low, high = np.percentile(regular_sample(array_kji), _PERCENTILES)
    return bool(low < -500 and high > 100)


def intensity_bounds(array_kji: NDArray[Any]) -> tuple[float, float]:
    """The 0.5 and 99.5 percentile of a region, which become 0 and 1.

    Those of a regular sample where the region is large. Raises VolumeError for NaN, infinity and
    values beyond 32-bit floats.
    """
    check_values(array_kji)
    low, high = np.percentile(regular_sample(array_kji), _PERCENTILES)
    return float(low), float(high)


def positive_bounds(array_kji: NDArray[Any]) -> tuple[float, float]:
    """`intensity_bounds` of the values above 0 alone; of all where none is."""
    check_values(array_kji)
    sample = regular_sample(array_kji)
    positive = sample[sample > 0]
    low, high = np.percentile(positive if len(positive) else sample, _PERCENTILES)
    return float(low), float(high)


def check_values(
    array_kji: NDArray[Any], what: str = "The region around the prompts"
) -> tuple[float, float]:
    """The lowest and highest value; `what` they are of, as the message says it.

    Raises VolumeError for NaN, infinity and values beyond 32-bit floats.
    """
    extremes = float(array_kji.min()), float(array_kji.max())
    if not np.isfinite(extremes).all():
        raise VolumeError(f"{what} holds NaN or infinite values; replace them before segmenting.")
    if max(map(abs, extremes)) > float(np.finfo(np.float32).max):
        raise VolumeError(
            f"{what} holds values from {extremes[0]:g} to {extremes[1]:g}, "
            "more than 32-bit floats hold; rescale the volume."
        )
    return extremes


def normalised(array_kji: Floats, bounds: tuple[float, float]) -> Floats:
    """Intensities with `bounds` brought to 0 and 1 and clipped there; 0 where both are the same."""
    low, high = bounds
    if low == high:
        return np.zeros_like(array_kji)
    # Clipped first: a lone extreme value would overflow.
    scaled: Floats = array_kji.clip(np.float32(low), np.float32(high))
    scaled -= np.float32(low)
    scaled /= np.float32(high - low)
    return scaled.clip(0, 1, out=scaled)


def regular_sample(array_kji: NDArray[Any]) -> NDArray[np.float64]:
    """Voxels (K, J, I) at regular steps: all of a small region, about a million of a large one."""
    step = max(1, round((array_kji.size / _SAMPLE_VOXELS) ** (1 / 3)))
    return array_kji[::step, ::step, ::step].astype(np.float64)
