"""The window of a picture for which the user chose none: what is in it decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volumes.intensities import is_ct, regular_sample
from ..volumes.patient_planes import planes
from ..volumes.region import Region
from ..volumes.volume import Volume
from ..volumes.windows import USUAL_CT, Window, named_window
from .outlines import Outline

# In Hounsfield units: what is not air, fat, brain and bone.
_TISSUE = -500.0
_FAT = (-150.0, -30.0)
_BRAIN = (0.0, 80.0)
_BONE = 250.0
# The mean of lung, which tissue encloses, or which ends at the border of a small image; the air
# around a patient is below the second, also in noise, and foam of the table below the first.
_LUNG_ENCLOSED, _LUNG_AT_BORDER, _LUNG_HIGHEST = -900.0, -860.0, -550.0
# Shares of tissue and lung together, and of tissue.
_SOME_LUNG, _MUCH_LUNG = 0.08, 0.25
_MUCH_BONE = 0.35
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
    tissues = _tissues(volume, shown)
    # Near an object of soft tissue, such as the liver, the lung is only beside it.
    if outline is None and tissues.lung > _MUCH_LUNG:
        return named_window("lung")
    return named_window(tissues.window_name)


def display_windows(
    volume: Volume, shown: Region, outline: Outline | None = None, given: Window | None = None
) -> list[Window]:
    """One window, or two for CT without an object in which soft tissue and lung are to be seen.

    The arguments are those of `display_window`.
    """
    if given is not None or outline is not None or not is_ct(volume):
        return [display_window(volume, shown, outline, given)]
    tissues = _tissues(volume, shown)
    if tissues.lung > _MUCH_LUNG:
        return [named_window("mediastinum"), named_window("lung")]
    usual = named_window(tissues.window_name)
    return [usual, named_window("lung")] if tissues.lung > _SOME_LUNG else [usual]


@dataclass(frozen=True)
class _Tissues:
    """The tissues in a part of a CT image.

    Attributes:
        lung: the share of lung of lung and tissue.
        window_name: the name of the window for the tissue without lung.
    """

    lung: float
    window_name: str


def _tissues(volume: Volume, shown: Region) -> _Tissues:
    axial = next(p for p in planes(volume.geometry) if p.name == "axial")
    sample = np.moveaxis(regular_sample(volume.array_kji[shown.slices]), axial.axis_kji, 0)
    tissue = sample[sample > _TISSUE]
    if not len(tissue):
        return _Tissues(float((sample > _LUNG_AT_BORDER).mean() > _MUCH_LUNG), USUAL_CT)

    def share(low: float, high: float) -> float:
        return float(np.count_nonzero((tissue > low) & (tissue < high)) / len(tissue))

    lung = _lung_voxels(sample)
    name = USUAL_CT
    bone = share(_BONE, np.inf)
    if bone > _MUCH_BONE:
        name = "bone"
    elif bone > _SOME_BONE and share(*_FAT) < _LITTLE_FAT and share(*_BRAIN) > _MUCH_BRAIN:
        name = "brain"
    return _Tissues(lung / (lung + len(tissue)), name)


def _lung_voxels(axial_slices: NDArray[np.float64]) -> int:
    """The number of voxels of lung in axial slices (n, rows, columns)."""
    from scipy.ndimage import label

    within_slices = np.zeros((3, 3, 3), bool)
    within_slices[1] = [[False, True, False], [True, True, True], [False, True, False]]
    parts, count = label(axial_slices <= _TISSUE, within_slices)
    if not count:
        return 0
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    means = np.bincount(parts.ravel(), axial_slices.ravel(), count + 1) / np.maximum(sizes, 1)
    at_border = np.zeros(count + 1, bool)
    for border in (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1]):
        at_border[border] = True
    least = np.where(at_border, _LUNG_AT_BORDER, _LUNG_ENCLOSED)
    is_lung = (means > least) & (means < _LUNG_HIGHEST)
    is_lung[0] = False
    return int(sizes[is_lung].sum())


def _all_but_extremes(voxels: NDArray[Any]) -> Window:
    sample = regular_sample(voxels).ravel()
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    filled = sample[sample > sample.min()]
    if len(filled) and len(filled) < len(sample) / 2:
        high = max(high, float(np.percentile(filled, 99.5)))
    return Window(low, high) if high > low else Window(low - 1, high + 1)


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
