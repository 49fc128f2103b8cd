"""Agreement of surfaces, with each surface element weighted by its area (`surface_elements`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volumes.masks import Mask, check_masks
from .distances import distances_within
from .percentile import percentile_mm
from .surface_elements import Surface, extract_surface

# Without a tolerance, distances are first searched within this multiple of the largest voxel size.
_REACH_VOXELS = 2


def surface_dice(
    reference: Mask,
    prediction: Mask,
    spacing_kji_mm: Sequence[float] | NDArray[Any],
    tolerance_mm: float,
) -> float:
    """Fraction of both surfaces that is within a tolerance of the other one (NSD).

    An object that touches the border of the grid has a closed surface there. Agrees with
    `compute_surface_dice_at_tolerance` of DeepMind's surface-distance (the challenge's code) and
    with `monai.metrics.compute_surface_dice(use_subvoxels=True)`.

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        prediction: the same shape, bool or integer.
        spacing_kji_mm: voxel size along K, J and I in millimetres.
        tolerance_mm: largest distance, in millimetres, that still counts as agreement.

    Returns:
        0 (apart) to 1 (within tolerance everywhere); 1 if both masks are empty, 0 if one is.

    Raises:
        MaskError: an array is not a 3D mask, or the shapes differ.
        ValueError: the spacing or the tolerance is out of range.
    """
    check_masks(reference, prediction)
    spacing = checked_spacing(spacing_kji_mm)
    tolerance = checked_tolerance(tolerance_mm)
    ours, theirs = extract_surface(reference, spacing), extract_surface(prediction, spacing)
    return surface_distances(ours, theirs, tolerance).dice


def hausdorff95(
    reference: Mask, prediction: Mask, spacing_kji_mm: Sequence[float] | NDArray[Any]
) -> float:
    """Distance within which 95 % of each surface's area is of the other surface.

    The larger of the two directed values, as `compute_robust_hausdorff(…, 95)` of DeepMind's
    surface-distance.

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        prediction: the same shape, bool or integer.
        spacing_kji_mm: voxel size along K, J and I in millimetres.

    Returns:
        Millimetres; 0 if both masks are empty, infinity if one is.

    Raises:
        MaskError: an array is not a 3D mask, or the shapes differ.
        ValueError: the spacing is out of range.
    """
    check_masks(reference, prediction)
    spacing = checked_spacing(spacing_kji_mm)
    near_mm = _REACH_VOXELS * float(spacing.max())
    return surface_distances(
        extract_surface(reference, spacing), extract_surface(prediction, spacing), near_mm
    ).hausdorff95_mm()


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Two surfaces and their distances.

    Attributes:
        ours: one surface, None for that of an empty mask.
        theirs: the other surface, None for that of an empty mask.
        dice: their surface Dice.
        ours_mm: (n,) distance from each element of `ours` to `theirs`, infinity beyond the
            tolerance.
        theirs_mm: (n,) distance from each element of `theirs` to `ours`, infinity beyond the
            tolerance.
    """

    ours: Surface | None
    theirs: Surface | None
    dice: float
    ours_mm: NDArray[np.float64]
    theirs_mm: NDArray[np.float64]

    def hausdorff95_mm(self) -> float:
        """The 95th percentile of the Hausdorff distance in millimetres; see `hausdorff95`."""
        if self.ours is None or self.theirs is None:
            return 0.0 if self.ours is self.theirs else math.inf
        return max(
            percentile_mm(self.ours, self.theirs, self.ours_mm),
            percentile_mm(self.theirs, self.ours, self.theirs_mm),
        )


def surface_distances(
    ours: Surface | None, theirs: Surface | None, tolerance_mm: float
) -> SurfaceDistances:
    """The distances of two surfaces on one grid up to a tolerance, each computed once."""
    if ours is None or theirs is None:
        empty = np.zeros(0)
        return SurfaceDistances(ours, theirs, float(ours is theirs), empty, empty)
    spacing = ours.spacing_kji_mm
    ours_mm = distances_within(ours.corner_kji, theirs.corner_kji, spacing, tolerance_mm)
    theirs_mm = distances_within(theirs.corner_kji, ours.corner_kji, spacing, tolerance_mm)
    agreeing_mm2 = (
        ours.area_mm2[ours_mm <= tolerance_mm].sum()
        + theirs.area_mm2[theirs_mm <= tolerance_mm].sum()
    )
    dice = float(agreeing_mm2 / (ours.area_mm2.sum() + theirs.area_mm2.sum()))
    return SurfaceDistances(ours, theirs, dice, ours_mm, theirs_mm)


def checked_spacing(spacing: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """Three voxel sizes as float64.

    Raises:
        ValueError: there are not three, or one is not positive and finite.
    """
    try:
        sizes = np.asarray(spacing, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"spacing is {spacing!r}, but it must be three positive numbers; give the voxel size "
            "along K, J and I."
        ) from error
    if sizes.shape != (3,) or not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise ValueError(
            f"spacing is {spacing!r}, but it must be three positive, finite numbers; give the "
            "voxel size along K, J and I."
        )
    return sizes


def checked_tolerance(tolerance: float) -> float:
    """The tolerance.

    Raises:
        ValueError: it is not a finite number of at least 0.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(
            f"tolerance is {tolerance!r}, but it must be a finite number of at least 0; give the "
            "largest distance that counts as agreement."
        )
    return float(tolerance)
