"""The distance within which most of a surface lies from another one.

Only distances that may be the one that is asked for are measured exactly, the others bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .surface_elements import Surface

_PERCENTILE = 0.95
# How far a bound may be off by rounding, and which part of an area a sum may be.
_ROUNDING_MM = 1e-6
_ROUNDING = 1e-9
# Of elements this much nearer than the present answer, distances are measured with it.
_WINDOW_VOXELS = 0.25


def percentile_mm(surface: Surface, other: Surface, known_mm: NDArray[np.float64]) -> float:
    """The distance, in millimetres, within which 95 % of a surface's area lies from another one.

    known_mm: (n,) of the surface's elements; infinity where only as much is known as that no finite
    distance is longer. As DeepMind's `compute_robust_hausdorff` has it in one direction.
    """
    far = np.flatnonzero(np.isinf(known_mm))
    corner_kji, area_mm2 = surface.corner_kji[far], surface.area_mm2[far]
    beyond_mm2 = (1 - _PERCENTILE) * float(surface.area_mm2.sum())
    if area_mm2.sum() < beyond_mm2 * (1 - _ROUNDING):
        return _share_within(known_mm, surface.area_mm2)
    # With each element as far as it can be the answer is never too short. It is the answer once no
    # element that is not measured counts as that far and may be nearer.
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
        asked = np.flatnonzero(candidate & (most_mm >= within_mm - window_mm))
        most_mm[asked] = other.nearest.distances(corner_kji[asked])
        unsure[asked] = False


def _beyond_which(
    distance_mm: NDArray[np.float64], area_mm2: NDArray[np.float64], beyond_mm2: float
) -> float | None:
    """The longest distance that, with all longer ones, has more than an area.

    None where an error of rounding decides.
    """
    # Only the farthest need be in order: mostly twice as many as have that area on average.
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
