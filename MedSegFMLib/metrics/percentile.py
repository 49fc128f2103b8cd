"""Area-weighted percentile of the distances between two surfaces.

Only distances that may be the percentile are computed exactly; the others are bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .surface_elements import Surface

_PERCENTILE = 0.95
# Rounding error of a bound, and relative rounding error of a sum of areas.
_ROUNDING_MM = 1e-6
_ROUNDING = 1e-9
# Elements whose upper bound is within this distance of the current result are measured with it.
_WINDOW_VOXELS = 0.25


def percentile_mm(surface: Surface, other: Surface, known_mm: NDArray[np.float64]) -> float:
    """The distance, in millimetres, within which 95 % of a surface's area is of another surface.

    As `compute_robust_hausdorff` of DeepMind's surface-distance in one direction.

    Args:
        surface: the surface whose area is counted.
        other: the surface that distances are measured to.
        known_mm: (n,) distances of the surface's elements; infinity for unknown distances, which
            are no shorter than any finite one.
    """
    far = np.flatnonzero(np.isinf(known_mm))
    corner_kji, area_mm2 = surface.corner_kji[far], surface.area_mm2[far]
    beyond_mm2 = (1 - _PERCENTILE) * float(surface.area_mm2.sum())
    if area_mm2.sum() < beyond_mm2 * (1 - _ROUNDING):
        return _share_within(known_mm, surface.area_mm2)
    # With the upper bound of each element the result is never too short. It is exact once every
    # element whose upper bound reaches it, and that may be nearer, is measured.
    least_mm, most_mm = other.nearest.bounds(corner_kji)
    unsure = np.ones(len(far), dtype=bool)
    window_mm = _WINDOW_VOXELS * float(surface.spacing_kji_mm.min())
    while True:
        within_mm = _beyond_which(most_mm, area_mm2, beyond_mm2)
        if within_mm is None:
            exact_mm = known_mm.copy()
            exact_mm[far] = other.nearest.distances(corner_kji)
            return _share_within(exact_mm, surface.area_mm2)
        candidate = unsure & (least_mm <= within_mm + _ROUNDING_MM)
        if not (candidate & (most_mm >= within_mm)).any():
            return within_mm
        measured = np.flatnonzero(candidate & (most_mm >= within_mm - window_mm))
        most_mm[measured] = other.nearest.distances(corner_kji[measured])
        unsure[measured] = False


def _beyond_which(
    distance_mm: NDArray[np.float64], area_mm2: NDArray[np.float64], beyond_mm2: float
) -> float | None:
    """The longest distance for which the elements at least that far exceed an area.

    None if a rounding error decides.
    """
    # Only the farthest elements need sorting: usually twice the average number with that area.
    many = min(len(distance_mm), 1 + int(2 * beyond_mm2 / area_mm2.mean()))
    farthest = np.argpartition(distance_mm, -many)[-many:]
    if area_mm2[farthest].sum() <= beyond_mm2 * (1 + _ROUNDING):
        farthest = np.arange(len(distance_mm))
    farthest = farthest[np.argsort(-distance_mm[farthest])]
    reached_mm2 = np.cumsum(area_mm2[farthest])
    at, surely = np.searchsorted(reached_mm2, beyond_mm2 * (1 + np.array([-1, 1]) * _ROUNDING))
    return float(distance_mm[farthest[at]]) if at == surely < len(farthest) else None


def _share_within(distance_mm: NDArray[np.float64], area_mm2: NDArray[np.float64]) -> float:
    order = np.lexsort((area_mm2, distance_mm))
    share = np.cumsum(area_mm2[order]) / np.sum(area_mm2[order])
    at = min(int(np.searchsorted(share, _PERCENTILE)), len(order) - 1)
    return float(distance_mm[order[at]])
