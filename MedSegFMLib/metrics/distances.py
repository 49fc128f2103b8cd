"""From each of some points of a grid to the nearest of others, in millimetres.

Surfaces of a good segmentation lie a few voxels apart, so the steps between two points of the grid
are tried, the shortest first. What lies farther away is found in a k-d tree of the points: a
distance transform would look at every voxel between the two surfaces.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK_VOXELS = 4
_MOST_STEPS = 5000  # a box of 17 voxels a side; beyond it the tree is faster


def distances_within(
    points_kji: Points, others_kji: Points, spacing_kji_mm: Floats, most_mm: float
) -> Floats:
    """(n,) from each point to the nearest of the others, infinity where that is beyond `most_mm`.

    points_kji, others_kji: (n, 3) and (m, 3), m at least 1, on one grid. Distances that are equal
    but for rounding give the smallest, as a distance transform compared with a tolerance does.
    """
    steps_kji, length_mm = _steps_within(most_mm, spacing_kji_mm)
    if steps_kji is None:
        exact_mm = Nearest(others_kji, spacing_kji_mm).distances(points_kji)
        return np.where(exact_mm <= most_mm, exact_mm, np.inf)
    reach_kji = steps_kji.max(axis=0, initial=0)
    # Steps must not run out of the grid that the others are marked on.
    start = others_kji.min(axis=0) - 2 * reach_kji
    shape = others_kji.max(axis=0) + 2 * reach_kji + 1 - start
    stride_kji = np.array([shape[1] * shape[2], shape[2], 1])
    is_other = np.zeros(int(shape.prod()), dtype=bool)
    is_other[(others_kji - start) @ stride_kji] = True
    local = points_kji - start
    waiting = np.flatnonzero(((local >= reach_kji) & (local < shape - reach_kji)).all(axis=1))
    at = local[waiting] @ stride_kji
    found_mm = np.full(len(points_kji), np.inf)
    for offset, mm in zip(steps_kji @ stride_kji, length_mm, strict=True):
        hit = is_other[at + offset]
        found_mm[waiting[hit]] = mm
        waiting, at = waiting[~hit], at[~hit]
    return found_mm


class Nearest:
    """The points (m, 3) of a grid, m at least 1, that distances are measured to."""

    def __init__(self, others_kji: Points, spacing_kji_mm: Floats) -> None:
        from scipy.spatial import cKDTree

        self._others_kji, self._spacing = others_kji, spacing_kji_mm
        # Balancing takes longer than it saves: points of a surface are spread evenly.
        self._tree = cKDTree(
            others_kji * spacing_kji_mm, balanced_tree=False, compact_nodes=False, leafsize=32
        )

    def distances(self, points_kji: Points) -> Floats:
        """(n,) from each point (n, 3)."""
        _, nearest = self._tree.query(points_kji * self._spacing)
        return _length_mm(points_kji - self._others_kji[nearest], self._spacing)

    def bounds(self, points_kji: Points) -> tuple[Floats, Floats]:
        """(n,) the least and the most that the distance from each point (n, 3) can be.

        A search is made for the middle of each block of a few voxels. What is nearest to it is not
        far from being nearest to the block's points, so the most is close to the distance itself;
        the least is what remains where a point lies as much nearer as it lies off the middle.
        """
        voxel_mm = float(np.cbrt(self._spacing.prod()))
        side_kji = np.maximum(1, np.round(_BLOCK_VOXELS * voxel_mm / self._spacing)).astype(
            np.int64
        )
        first_kji = points_kji.min(axis=0)
        # Divided by one number at a time: by an array it takes several times as long.
        block = [
            (along - first) // side
            for along, first, side in zip(points_kji.T, first_kji, side_kji, strict=True)
        ]
        shape = [int(along.max()) + 1 for along in block]
        of_block = np.ravel_multi_index(block, shape)
        number = np.zeros(math.prod(shape), dtype=np.int64)
        number[of_block] = 1
        asked = np.flatnonzero(number)
        number[asked] = np.arange(asked.size)
        of_block = number[of_block]
        block_kji = np.stack(np.unravel_index(asked, shape)).T
        middle_kji = first_kji + (block_kji + 0.5) * side_kji - 0.5
        _, nearest = self._tree.query(middle_kji * self._spacing)
        middle_mm = _length_mm(middle_kji - self._others_kji[nearest], self._spacing)
        off_mm = _length_mm(points_kji - middle_kji[of_block], self._spacing)
        most_mm = _length_mm(points_kji - self._others_kji[nearest[of_block]], self._spacing)
        return middle_mm[of_block] - off_mm, most_mm


def _steps_within(most_mm: float, spacing_kji_mm: Floats) -> tuple[Points | None, Floats]:
    """Steps (n, 3) on the grid no longer than that, ascending, and how long; None if too many."""
    reach = np.floor(most_mm / spacing_kji_mm) + 1
    if np.prod(2 * reach + 1) > _MOST_STEPS:
        return None, np.zeros(0)
    steps_kji: Points
    steps_kji = np.argwhere(np.ones((2 * reach + 1).astype(int), dtype=bool)) - reach.astype(int)
    length_mm = _length_mm(steps_kji, spacing_kji_mm)
    shortest_first = np.argsort(length_mm, kind="stable")
    shortest_first = shortest_first[: np.count_nonzero(length_mm <= most_mm)]
    return steps_kji[shortest_first], length_mm[shortest_first]


def _length_mm(step_kji: Points, spacing_kji_mm: Floats) -> Floats:
    length_mm: Floats = np.sqrt(((step_kji * spacing_kji_mm) ** 2).sum(axis=1))
    return length_mm
