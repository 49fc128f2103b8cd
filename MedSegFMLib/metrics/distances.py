"""Distances from points of a grid to the nearest of other points, in millimetres.

Surfaces of a good segmentation are a few voxels apart, so the offsets between two points of the
grid are tried in ascending order of length. Points farther away are found in a k-d tree: a distance
transform would process every voxel between the two surfaces.
"""

from __future__ import annotations

import numpy as np

from ..volumes.nearest_points import Floats, NearestPoints, Points, lengths_mm

_MOST_STEPS = 5000  # a box of 17 voxels a side; beyond it the tree is faster


def distances_within(
    points_kji: Points, others_kji: Points, spacing_kji_mm: Floats, most_mm: float
) -> Floats:
    """(n,) distance from each point to the nearest of the others, infinity beyond `most_mm`.

    Of distances that are equal but for rounding the smallest is returned, as if a distance
    transform were compared with a tolerance.

    Args:
        points_kji: (n, 3), on the grid of `others_kji`.
        others_kji: (m, 3), m at least 1.
        spacing_kji_mm: (3,).
        most_mm: the longest distance to find.
    """
    steps_kji, length_mm = _steps_within(most_mm, spacing_kji_mm)
    if steps_kji is None:
        exact_mm = NearestPoints(others_kji, spacing_kji_mm).distances(points_kji)
        return np.where(exact_mm <= most_mm, exact_mm, np.inf)
    reach_kji = steps_kji.max(axis=0, initial=0)
    # Offsets must stay within the grid on which the others are marked.
    start = others_kji.min(axis=0) - 2 * reach_kji
    shape = others_kji.max(axis=0) + 2 * reach_kji + 1 - start
    stride_kji = np.array([shape[1] * shape[2], shape[2], 1])
    is_other = np.zeros(int(shape.prod()), dtype=bool)
    is_other[(others_kji - start) @ stride_kji] = True
    local = points_kji - start
    waiting = np.flatnonzero(((local >= reach_kji) & (local < shape - reach_kji)).all(axis=1))
    at = local[waiting] @ stride_kji
    distance_mm = np.full(len(points_kji), np.inf)
    for offset, mm in zip(steps_kji @ stride_kji, length_mm, strict=True):
        hit = is_other[at + offset]
        distance_mm[waiting[hit]] = mm
        waiting, at = waiting[~hit], at[~hit]
    return distance_mm


def _steps_within(most_mm: float, spacing_kji_mm: Floats) -> tuple[Points | None, Floats]:
    """Offsets (n, 3) up to `most_mm`, ascending, and their lengths; None if there are too many."""
    reach = np.floor(most_mm / spacing_kji_mm) + 1
    if np.prod(2 * reach + 1) > _MOST_STEPS:
        return None, np.zeros(0)
    steps_kji: Points
    steps_kji = np.argwhere(np.ones((2 * reach + 1).astype(int), dtype=bool)) - reach.astype(int)
    length_mm = lengths_mm(steps_kji, spacing_kji_mm)
    shortest_first = np.argsort(length_mm, kind="stable")
    shortest_first = shortest_first[: np.count_nonzero(length_mm <= most_mm)]
    return steps_kji[shortest_first], length_mm[shortest_first]
