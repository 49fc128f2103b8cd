"""The window of a picture for which the user chose none: what is in it decides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volumes.intensities import is_ct, regular_sample
from ..volumes.region import Region
from ..volumes.volume import Volume
from ..volumes.windows import USUAL_CT, Window, named_window
from .outlines import Outline

# In Hounsfield units.
_LUNG = (-930.0, -500.0)
_FAT = (-150.0, -30.0)
_BRAIN = (0.0, 80.0)
_BONE = 250.0
# Shares of the voxels that are not air around the patient.
_MUCH_LUNG, _MUCH_BONE = 0.2, 0.35
_LITTLE_FAT, _SOME_BONE, _MUCH_BRAIN = 0.08, 0.03, 0.5
# The median of an object or of what surrounds it, below which both are seen best as lung.
_LUNG_MEDIAN = -400.0
_SHELL_VOXELS = 3
_MOST_VOXELS = 2_000_000


def display_window(
    volume: Volume, shown: Region, outline: Outline | None = None, given: Window | None = None
) -> Window:
    """The window in which a part of a volume is shown.

    Args:
        volume: the volume.
        shown: the part.
        outline: the object that the picture is of; None for none.
        given: the window that the user chose; None for the one that fits: of CT that of the object
            and its surroundings, without an object that of what fills the picture; otherwise all
            values but the extreme 0.5 %, of a mostly empty picture those that are not empty.
    """
    if given is not None:
        return given
    if not is_ct(volume):
        return _all_but_extremes(volume.array_kji[shown.slices])
    if outline is not None and outline.region is not None:
        inside, around = _object_medians(volume, outline)
        if min(inside, around) < _LUNG_MEDIAN:
            return named_window("lung")
        if inside > _BONE:
            return named_window("bone")
    return named_window(_fitting(volume.array_kji[shown.slices], outline is not None))


def _all_but_extremes(voxels: NDArray[Any]) -> Window:
    sample = regular_sample(voxels).ravel()
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    filled = sample[sample > sample.min()]
    if len(filled) and len(filled) < len(sample) / 2:
        high = max(high, float(np.percentile(filled, 99.5)))
    return Window(low, high) if high > low else Window(low - 1, high + 1)


def _fitting(voxels: NDArray[Any], is_of_object: bool) -> str:
    """The name of the window for the tissues of a CT image."""
    sample = regular_sample(voxels).ravel()
    body = sample[sample > _LUNG[0]]
    if not len(body):
        return USUAL_CT

    def share(low: float, high: float) -> float:
        return np.count_nonzero((body > low) & (body < high)) / len(body)

    # Near an object of soft tissue, such as the liver, the lung is only beside it.
    if not is_of_object and share(*_LUNG) > _MUCH_LUNG:
        return "lung"
    bone = share(_BONE, np.inf)
    if bone > _MUCH_BONE:
        return "bone"
    is_brain = share(*_BRAIN) > _MUCH_BRAIN and share(*_FAT) < _LITTLE_FAT and bone > _SOME_BONE
    return "brain" if is_brain else USUAL_CT


def _object_medians(volume: Volume, outline: Outline) -> tuple[float, float]:
    """The median values of an object, and of the voxels around it."""
    from scipy.ndimage import binary_dilation

    assert outline.region is not None
    near = outline.region.grown([_SHELL_VOXELS] * 3, volume.geometry.shape_kji)
    mask = np.zeros(near.shape_kji, bool)
    mask[outline.region.relative_to(near).slices] = outline.mask_kji
    step = max(1, round((mask.size / _MOST_VOXELS) ** (1 / 3)))
    thinned = (slice(None, None, step),) * 3
    values, mask = volume.array_kji[near.slices][thinned], mask[thinned]
    if not mask.any():
        return 0.0, 0.0
    shell = binary_dilation(mask, iterations=max(1, _SHELL_VOXELS // step)) & ~mask
    around = values[shell] if shell.any() else values[mask]
    return float(np.median(values[mask])), float(np.median(around))
