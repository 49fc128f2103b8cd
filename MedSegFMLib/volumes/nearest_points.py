"""How far points of a grid are from the nearest of others: exactly, or between two bounds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK_VOXELS = 4


class NearestPoints:
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
        return lengths_mm(points_kji - self._others_kji[nearest], self._spacing)

    def bounds(self, points_kji: Points) -> tuple[Floats, Floats]:
        """(n,) the least and the most that the distance from each point (n, 3) can be.

        A search is made for the middle of each block of a few voxels. What is nearest to it is not
        far from being nearest to the block's points, so the most is close to the distance itself;
        the least is what remains where a point lies as much nearer as it lies off the middle.
        """
        voxel_mm = float(np.cbrt(self._spacing.prod()))
        side_kji = np.maximum(1, np.round(_BLOCK_VOXELS * voxel_mm / self._spacing)).astype(int)
        first_kji = points_kji.min(axis=0)
        # Divided by one number at a time: by an array it takes several times as long.
        block = [
            (along - first) // side
            for along, first, side in zip(points_kji.T, first_kji, side_kji, strict=True)
        ]
        shape = [int(along.max()) + 1 for along in block]
        of_all = np.ravel_multi_index(block, shape)
        # Blocks that hold a point are numbered anew.
        number = np.zeros(math.prod(shape), dtype=np.int64)
        number[of_all] = 1
        held = np.flatnonzero(number)
        number[held] = np.arange(held.size)
        of_block = number[of_all]
        block_kji = np.stack(np.unravel_index(held, shape)).T
        middle_kji = first_kji + (block_kji + 0.5) * side_kji - 0.5
        _, nearest = self._tree.query(middle_kji * self._spacing)
        middle_mm = lengths_mm(middle_kji - self._others_kji[nearest], self._spacing)
        off_mm = lengths_mm(points_kji - middle_kji[of_block], self._spacing)
        most_mm = lengths_mm(points_kji - self._others_kji[nearest[of_block]], self._spacing)
        return middle_mm[of_block] - off_mm, most_mm


def lengths_mm(step_kji: Points | Floats, spacing_kji_mm: Floats) -> Floats:
    """(n,) how long steps (n, 3) on a grid are."""
    lengths: Floats = np.sqrt(((step_kji * spacing_kji_mm) ** 2).sum(axis=1))
    return lengths
