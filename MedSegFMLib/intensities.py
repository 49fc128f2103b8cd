"""The intensities of a region brought to 0 to 1, whatever the scanner."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import VolumeError

Floats = NDArray[np.float32]

# Percentiles over a sample of about so many voxels tell those over all of them.
_SAMPLE_VOXELS = 1_000_000
_PERCENTILES = (0.5, 99.5)


def intensity_bounds(array_kji: NDArray[Any]) -> tuple[float, float]:
    """The 0.5 and 99.5 percentile of a region, which become 0 and 1.

    Those of a regular sample where the region is large. Raises VolumeError for NaN, infinity and
    values beyond 32-bit floats.
    """
    extremes = float(array_kji.min()), float(array_kji.max())
    if not np.isfinite(extremes).all():
        raise VolumeError(
            "The region around the prompts holds NaN or infinite values; replace them before "
            "segmenting."
        )
    if max(map(abs, extremes)) > np.finfo(np.float32).max:
        raise VolumeError(
            f"The region around the prompts holds values from {extremes[0]:g} to {extremes[1]:g}, "
            "more than 32-bit floats hold; rescale the volume."
        )
    step = max(1, round((array_kji.size / _SAMPLE_VOXELS) ** (1 / 3)))
    sample = array_kji[::step, ::step, ::step].astype(np.float64)
    low, high = np.percentile(sample, _PERCENTILES)
    return float(low), float(high)


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
