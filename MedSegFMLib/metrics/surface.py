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
_ROUNDING = 1e-9  # relative: wider than any rounding here, narrower than any step of a voxel grid


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
    distance_ours_mm, area_ours_mm2 = _sorted_distances(ours, theirs, spacing)
    distance_theirs_mm, area_theirs_mm2 = _sorted_distances(theirs, ours, spacing)
    surfaces = {
        "distances_gt_to_pred": distance_ours_mm,
        "surfel_areas_gt": area_ours_mm2,
        "distances_pred_to_gt": distance_theirs_mm,
        "surfel_areas_pred": area_theirs_mm2,
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

    A bounded search in a k-d tree: its time and memory go with the surface and the tolerance, not
    with the volume nor with how far apart the surfaces are.
    """
    from scipy.spatial import cKDTree

    at_mm = surfels.corner_kji * spacing_kji_mm
    tree = cKDTree(others.corner_kji * spacing_kji_mm, leafsize=32, balanced_tree=False)
    bound_mm = tolerance_mm * (1 + _ROUNDING) + _ROUNDING * float(spacing_kji_mm.min())
    _, nearest = tree.query(at_mm, distance_upper_bound=bound_mm)
    is_within: NDArray[np.bool_] = nearest < len(others.corner_kji)
    # The tree rounds millimetres. Whether a distance equals the tolerance or just exceeds it is
    # decided on voxel steps, as the distance transform in the challenge's code does; and there
    # steps of one length, such as (3, 4, 0) and (5, 0, 0), round apart, so any of them may agree.
    found = np.flatnonzero(is_within)
    step_kji = surfels.corner_kji[found] - others.corner_kji[nearest[found]]
    doubtful = found[_length_mm(step_kji, spacing_kji_mm) > tolerance_mm]
    rivals = tree.query_ball_point(at_mm[doubtful], bound_mm)
    for surfel, near in zip(doubtful, rivals, strict=True):
        step_kji = surfels.corner_kji[surfel] - others.corner_kji[near]
        is_within[surfel] = bool(np.any(_length_mm(step_kji, spacing_kji_mm) <= tolerance_mm))
    return is_within


def _sorted_distances(
    surfels: _Surfels, others: _Surfels, spacing_kji_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Millimetres from each surfel to the nearest of the others, ascending, and the areas."""
    from scipy.ndimage import distance_transform_edt

    # A distance transform, for a k-d tree slows down where the surfaces are far apart. Asked for
    # the nearest corners alone it needs a quarter of the memory of a map of distances.
    start = np.minimum(surfels.corner_kji.min(axis=0), others.corner_kji.min(axis=0))
    stop = np.maximum(surfels.corner_kji.max(axis=0), others.corner_kji.max(axis=0)) + 1
    is_free = np.ones(stop - start, dtype=bool)
    is_free[tuple((others.corner_kji - start).T)] = False
    nearest = distance_transform_edt(
        is_free, sampling=spacing_kji_mm, return_distances=False, return_indices=True
    )
    local = surfels.corner_kji - start
    distance_mm = _length_mm(local - nearest[:, *local.T].T, spacing_kji_mm)
    order = np.lexsort((surfels.area_mm2, distance_mm))
    return distance_mm[order], surfels.area_mm2[order]


def _length_mm(
    step_kji: NDArray[np.int64], spacing_kji_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    length_mm: NDArray[np.float64] = np.sqrt(((step_kji * spacing_kji_mm) ** 2).sum(axis=1))
    return length_mm
