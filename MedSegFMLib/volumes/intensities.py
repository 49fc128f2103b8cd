"""Voxel intensities: value checks, percentile bounds, normalisation and CT detection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VolumeError

if TYPE_CHECKING:
    from .volume import Volume

Floats = NDArray[np.float32]

# Percentiles over a sample of about this size approximate those over all voxels.
_SAMPLE_VOXELS = 1_000_000
_PERCENTILES = (0.5, 99.5)
# In Hounsfield units. Noise of air goes somewhat below -1000.
_BELOW_AIR, _ABOVE_LUNG, _BELOW_FAT, _BELOW_ADIPOSE = -1100.0, -700.0, -500.0, -250.0
_SOFT_TISSUE, _ABOVE_METAL = 200.0, 10_000.0
_PADDING_VALUES = 2
_FEW, _SOME_TISSUE = 0.02, 0.05


def is_ct(volume: Volume) -> bool:
    """Whether a volume is CT: as its file states, otherwise by its values (`looks_like_ct`)."""
    return volume.modality == "CT" if volume.modality else looks_like_ct(volume.array_kji)


def looks_like_ct(array_kji: NDArray[Any]) -> bool:
    """Whether voxels are Hounsfield units, by their values alone, as integers or floats.

    At least half a percent of them is below -500 and half a percent from 0 to 10,000, and a
    twentieth is soft tissue; apart from at most two values for places outside the scan hardly any
    is below what air has; and air or lung is more frequent than the values between lung and fat.
    Phase images, field maps and maps of distances have values as low, but no such gap; attenuation
    and normalised values are too small.
    """
    if array_kji.dtype.kind not in "if":
        return False
    sample = regular_sample(array_kji).ravel()
    low, high = np.percentile(sample, _PERCENTILES)
    if not (low < _BELOW_FAT and 0 < high < _ABOVE_METAL):
        return False
    if (np.abs(sample) < _SOFT_TISSUE).mean() < _SOME_TISSUE:
        return False
    lower, counts = np.unique(sample[sample < _BELOW_AIR], return_counts=True)
    padding = np.sort(counts)[-_PADDING_VALUES:].sum() if len(lower) else 0
    if counts.sum() - padding > _FEW * len(sample):
        return False
    air = np.count_nonzero((sample >= _BELOW_AIR) & (sample < _ABOVE_LUNG))
    gap = np.count_nonzero((sample >= _ABOVE_LUNG) & (sample < _BELOW_ADIPOSE))
    return bool(air + padding > gap)


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
