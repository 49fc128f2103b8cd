"""Steps that change segments after a model: off unless asked for.

Each step works on each segment alone, in the order of the fields of `Treatment`. No segment gains
a voxel of another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import MaskError
from ..geometry import Geometry
from ..region import Region
from ..right_angles import StraightGrid
from ..volume import Volume
from .segmentation import Segment, Segmentation

Bools = NDArray[np.bool_]

# Beyond this many standard deviations a Gaussian is negligible.
_REACH = 4.0


@dataclass(frozen=True)
class Treatment:
    """The steps, in this order.

    Attributes:
        fill_holes: fill what is enclosed by a segment in 3D.
        smooth_mm: the standard deviation, in mm, of a Gaussian whose half is the new border; 0 for
            none.
        min_volume_ml: the least volume of a connected part, in ml; smaller ones are removed.
        largest: keep the largest connected part (26 neighbours) alone.

    Raises:
        MaskError: a number is negative or not finite.
    """

    fill_holes: bool = False
    smooth_mm: float = 0.0
    min_volume_ml: float = 0.0
    largest: bool = False

    def __post_init__(self) -> None:
        for name, value in (("smooth", self.smooth_mm), ("min-volume", self.min_volume_ml)):
            if not (math.isfinite(value) and value >= 0):
                raise MaskError(f"--{name} is {value:g}; give a number of 0 or more.")

    @property
    def is_none(self) -> bool:
        """Whether nothing is done."""
        return self == Treatment()


def treated(
    segmentation: Segmentation, treatment: Treatment, label: int | None = None
) -> Segmentation:
    """The segments after a treatment; those that change have no probabilities any more.

    Args:
        segmentation: the segments.
        treatment: what is done.
        label: the segment that is treated; None for all.
    """
    if treatment.is_none:
        return segmentation
    geometry = segmentation.geometry
    taken = np.zeros(geometry.shape_kji, bool)
    for segment in segmentation.segments:
        taken[segment.region.slices] |= segment.mask_kji
    segments: list[Segment] = []
    for segment in segmentation.segments:
        if label not in (None, segment.label):
            segments.append(segment)
            continue
        changed = _treated(segment, treatment, geometry)
        here = taken[changed.region.slices]
        before = segment.on(geometry)[changed.region.slices]
        mask = changed.mask_kji & (before | ~here)
        here |= mask
        segments.append(replace(changed, mask_kji=mask))
    return replace(segmentation, segments=tuple(segments))


def _treated(segment: Segment, treatment: Treatment, geometry: Geometry) -> Segment:
    if not segment.mask_kji.any():
        return segment
    region, mask = _with_margin(segment, treatment, geometry)
    if treatment.fill_holes:
        from scipy.ndimage import binary_fill_holes

        mask = binary_fill_holes(mask)
    if treatment.smooth_mm:
        mask = _smoothed(mask, geometry.crop(region), treatment.smooth_mm)
    if treatment.min_volume_ml or treatment.largest:
        least = treatment.min_volume_ml * 1000 / geometry.voxel_volume_mm3
        mask = _parts(mask, least, treatment.largest)
    return replace(segment, region=region, mask_kji=mask, probability_kji=None)


def _smoothed(mask: Bools, geometry: Geometry, smooth_mm: float) -> Bools:
    """The mask within the half of its Gaussian, whose millimetres need axes at right angles."""
    from scipy.ndimage import gaussian_filter

    straight = StraightGrid.of(geometry)
    amount = straight.volume(Volume(mask.astype(np.float32), geometry))
    sigma = [smooth_mm / mm for mm in straight.geometry.spacing_kji_mm]
    soft = amount.with_array(gaussian_filter(amount.array_kji, sigma, truncate=_REACH))
    if straight.is_resampled:
        soft = soft.resample(geometry)
    result: Bools = soft.array_kji >= 0.5
    return result


def _with_margin(
    segment: Segment, treatment: Treatment, geometry: Geometry
) -> tuple[Region, Bools]:
    """The mask with room for smoothing, and at least one voxel, inside the grid."""
    reach = [int(np.ceil(_REACH * treatment.smooth_mm / mm)) + 1 for mm in geometry.spacing_kji_mm]
    region = segment.region.grown(reach, geometry.shape_kji)
    mask = np.zeros(region.shape_kji, bool)
    mask[segment.region.relative_to(region).slices] = segment.mask_kji
    return region, mask


def _parts(mask: Bools, least_voxels: float, largest: bool) -> Bools:
    """The connected parts that are large enough, or the largest of them."""
    from scipy.ndimage import label

    numbers, count = label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)
    kept: Bools = np.asarray(sizes >= least_voxels)
    kept[0] = False
    if largest and kept.any():
        best = int(np.argmax(np.where(kept, sizes, 0)))
        kept[:] = False
        kept[best] = True
    result: Bools = kept[numbers]
    return result
