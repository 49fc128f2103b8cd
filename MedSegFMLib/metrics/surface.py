"""Agreement of surfaces, each surface element weighted by its area.

A surface element (surfel) sits at every corner between 2x2x2 voxels that are not all alike. Its
area is a marching-cubes estimate looked up from those eight voxels (Nikolov et al. 2018,
arXiv:1809.04430). The table is DeepMind's, from the package `surface-distance`; that package's own
distances are left aside, because release 0.1 calls `np.Inf` for an empty mask, which numpy 2 lacks,
and sorts in Python.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..masks import Mask, bounding_box, check_masks

_ALL_INSIDE = 255
_MOST_STEPS = 5000  # a box of 17 voxels a side; beyond it a distance transform is faster


class _Surfels(NamedTuple):
    corner_kji: NDArray[np.int64]  # (n, 3); corner c lies between voxels c - 1 and c
    area_mm2: NDArray[np.float64]  # (n,)


def surface_dice(
    reference: Mask,
    prediction: Mask,
    spacing_kji_mm: Sequence[float] | NDArray[Any],
    tolerance_mm: float,
) -> float:
    """Share of both surfaces that lies within a tolerance of the other one (NSD).

    An object that touches the border of the grid has a closed surface there. Agrees with
    `compute_surface_dice_at_tolerance` of DeepMind's surface-distance (the challenge's code) and
    with `monai.metrics.compute_surface_dice(use_subvoxels=True)`.

    Args:
        reference: (K, J, I), bool or integer; every voxel that is not 0 belongs to the object.
        prediction: the same shape, bool or integer.
        spacing_kji_mm: voxel size along K, J and I in millimetres.
        tolerance_mm: largest distance, in millimetres, that still counts as agreement.

    Returns:
        0 (apart) to 1 (within tolerance everywhere); 1 where both masks are empty, 0 where one is.

    Raises:
        MaskError: an array is no 3D mask, or the shapes differ.
        ValueError: the spacing or the tolerance is out of range.
    """
    check_masks(reference, prediction)
    spacing = checked_spacing(spacing_kji_mm)
    tolerance = checked_tolerance(tolerance_mm)
    ours, theirs = _surfels(reference, spacing), _surfels(prediction, spacing)
    if ours is None or theirs is None:
        return float(ours is theirs)
    agreeing_mm2 = (
        ours.area_mm2[_is_within(ours, theirs, spacing, tolerance)].sum()
        + theirs.area_mm2[_is_within(theirs, ours, spacing, tolerance)].sum()
    )
    return float(agreeing_mm2 / (ours.area_mm2.sum() + theirs.area_mm2.sum()))


def hausdorff95(
    reference: Mask, prediction: Mask, spacing_kji_mm: Sequence[float] | NDArray[Any]
) -> float:
    """Distance within which 95 % of each surface's area lies from the other surface.

    The larger of the two directed values, as `compute_robust_hausdorff(…, 95)` of DeepMind's
    surface-distance.

    Args:
        reference: (K, J, I), bool or integer; every voxel that is not 0 belongs to the object.
        prediction: the same shape, bool or integer.
        spacing_kji_mm: voxel size along K, J and I in millimetres.

    Returns:
        Millimetres; 0 where both masks are empty, infinity where one is.

    Raises:
        MaskError: an array is no 3D mask, or the shapes differ.
        ValueError: the spacing is out of range.
    """
    from surface_distance import compute_robust_hausdorff

    check_masks(reference, prediction)
    spacing = checked_spacing(spacing_kji_mm)
    ours, theirs = _surfels(reference, spacing), _surfels(prediction, spacing)
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else math.inf
    to_theirs_mm = _distance_mm(ours, theirs, spacing)
    to_ours_mm = _distance_mm(theirs, ours, spacing)
    ours_sorted = np.lexsort((ours.area_mm2, to_theirs_mm))
    theirs_sorted = np.lexsort((theirs.area_mm2, to_ours_mm))
    surfaces = {
        "distances_gt_to_pred": to_theirs_mm[ours_sorted],
        "surfel_areas_gt": ours.area_mm2[ours_sorted],
        "distances_pred_to_gt": to_ours_mm[theirs_sorted],
        "surfel_areas_pred": theirs.area_mm2[theirs_sorted],
    }
    return float(compute_robust_hausdorff(surfaces, 95))


def checked_spacing(spacing: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """Three voxel sizes as float64, or a ValueError where one is not positive and finite."""
    try:
        sizes = np.asarray(spacing, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"spacing is {spacing!r}, but it must be three positive numbers: give the voxel size "
            "along K, J and I."
        ) from error
    if sizes.shape != (3,) or not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise ValueError(
            f"spacing is {spacing!r}, but it must be three positive, finite numbers: give the "
            "voxel size along K, J and I."
        )
    return sizes


def checked_tolerance(tolerance: float) -> float:
    """The tolerance, or a ValueError where it is not a finite number of at least 0."""
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(
            f"tolerance is {tolerance!r}, but it must be a finite number of at least 0: give the "
            "largest distance that counts as agreement."
        )
    return float(tolerance)


def _surfels(mask: Mask, spacing_kji_mm: NDArray[np.float64]) -> _Surfels | None:
    """Corners and areas of a mask's surface elements, or None where the mask is empty."""
    from surface_distance import lookup_tables

    box = bounding_box(mask)
    if box is None:
        return None
    # One voxel of zeros on every side closes the surface of an object at the border of the grid.
    inside = np.pad(mask[box] != 0, 1).view(np.uint8)
    neighbour_bit = lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL
    code = np.zeros([size - 1 for size in inside.shape], dtype=np.uint8)
    for offset in np.ndindex(2, 2, 2):
        neighbour = tuple(
            slice(step, step + size) for step, size in zip(offset, code.shape, strict=True)
        )
        code |= inside[neighbour] * np.uint8(neighbour_bit[offset])
    is_surface = (code != 0) & (code != _ALL_INSIDE)
    corner_kji = np.argwhere(is_surface) + [side.start for side in box]
    return _Surfels(corner_kji, _area_by_code_mm2(*spacing_kji_mm.tolist())[code[is_surface]])


@lru_cache(maxsize=8)  # the package builds the table in a Python loop; a case has many labels
def _area_by_code_mm2(k_mm: float, j_mm: float, i_mm: float) -> NDArray[np.float64]:
    from surface_distance import lookup_tables

    table: NDArray[np.float64] = lookup_tables.create_table_neighbour_code_to_surface_area(
        (k_mm, j_mm, i_mm)
    )
    return table


def _is_within(
    surfels: _Surfels, others: _Surfels, spacing_kji_mm: NDArray[np.float64], tolerance_mm: float
) -> NDArray[np.bool_]:
    """Which surfels have one of the others at the tolerance or nearer.

    Tries every step on the grid that is short enough, the shortest first: for tolerances of a few
    voxels several times faster than a distance transform, and the same to the last bit.
    """
    steps_kji = _steps_within(tolerance_mm, spacing_kji_mm)
    if steps_kji is None:
        return _distance_mm(surfels, others, spacing_kji_mm) <= tolerance_mm
    reach_kji = steps_kji.max(axis=0)
    start = others.corner_kji.min(axis=0) - 2 * reach_kji
    shape = others.corner_kji.max(axis=0) + 2 * reach_kji + 1 - start
    is_other = np.zeros(shape, dtype=bool)
    is_other[tuple((others.corner_kji - start).T)] = True
    local = surfels.corner_kji - start
    waiting = np.flatnonzero(((local >= reach_kji) & (local < shape - reach_kji)).all(axis=1))
    stride_kji = np.array([shape[1] * shape[2], shape[2], 1])
    at = local[waiting] @ stride_kji
    is_within = np.zeros(len(local), dtype=bool)
    for offset in steps_kji @ stride_kji:
        hit = is_other.ravel()[at + offset]
        is_within[waiting[hit]] = True
        waiting, at = waiting[~hit], at[~hit]
    return is_within


def _steps_within(
    tolerance_mm: float, spacing_kji_mm: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """Steps (n, 3) on the grid no longer than the tolerance, ascending; None if far too many."""
    reach = np.floor(tolerance_mm / spacing_kji_mm) + 1
    if np.prod(2 * reach + 1) > _MOST_STEPS:
        return None
    steps_kji: NDArray[np.int64]
    steps_kji = np.argwhere(np.ones((2 * reach + 1).astype(int), dtype=bool)) - reach.astype(int)
    length_mm = _length_mm(steps_kji, spacing_kji_mm)
    shortest_first = np.argsort(length_mm, kind="stable")
    steps_kji = steps_kji[shortest_first[: np.count_nonzero(length_mm <= tolerance_mm)]]
    return steps_kji


def _distance_mm(
    surfels: _Surfels, others: _Surfels, spacing_kji_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Millimetres (n,) from each surfel to the nearest of the others."""
    from scipy.ndimage import distance_transform_edt

    start = np.minimum(surfels.corner_kji.min(axis=0), others.corner_kji.min(axis=0))
    stop = np.maximum(surfels.corner_kji.max(axis=0), others.corner_kji.max(axis=0)) + 1
    is_free = np.ones(stop - start, dtype=bool)
    is_free[tuple((others.corner_kji - start).T)] = False
    # Asked for nearest corners it needs a quarter of the memory of a whole map of distances.
    nearest = distance_transform_edt(
        is_free, sampling=spacing_kji_mm, return_distances=False, return_indices=True
    )
    local = surfels.corner_kji - start
    return _length_mm(local - nearest[:, *local.T].T, spacing_kji_mm)


def _length_mm(
    step_kji: NDArray[np.int64], spacing_kji_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    length_mm: NDArray[np.float64] = np.sqrt(((step_kji * spacing_kji_mm) ** 2).sum(axis=1))
    return length_mm
