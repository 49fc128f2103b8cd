"""Distances from points of a grid to the nearest of other points: exact, or as two bounds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK_VOXELS = 4


class NearestPoints:
    """A k-d tree of grid points for exact and bounded nearest-point distances.

    Args:
        others_kji: (m, 3) int64, the points that distances are measured to, m at least 1.
        spacing_kji_mm: (3,) float64.
    """

    def __init__(self, others_kji: Points, spacing_kji_mm: Floats) -> None:
        from scipy.spatial import cKDTree

        self._others_kji, self._spacing = others_kji, spacing_kji_mm
        # Points of a surface are spread evenly, so that balancing costs more time than it saves.
        self._tree = cKDTree(
            others_kji * spacing_kji_mm, balanced_tree=False, compact_nodes=False, leafsize=32
        )

    def distances(self, points_kji: Points) -> Floats:
        """(n,) distance in millimetres from each point (n, 3)."""
        _, nearest = self._tree.query(points_kji * self._spacing)
        return lengths_mm(points_kji - self._others_kji[nearest], self._spacing)

    def bounds(self, points_kji: Points) -> tuple[Floats, Floats]:
        """(n,) lower and upper bounds of the distance from each point (n, 3), in millimetres.

        The nearest point is searched for the centre of each block of a few voxels. It is almost the
        nearest point for the voxels of the block too, so the upper bound is close to the distance
        itself; the lower bound is the distance of the block's centre minus the voxel's distance
        from that centre.
        """
        voxel_mm = float(np.cbrt(self._spacing.prod()))
        side_kji = np.maximum(1, np.round(_BLOCK_VOXELS * voxel_mm / self._spacing)).astype(int)
        first_kji = points_kji.min(axis=0)
        # Dividing by one scalar at a time is several times faster than by an array.
        block = [
            (along - first) // side
            for along, first, side in zip(points_kji.T, first_kji, side_kji, strict=True)
        ]
        shape = [int(along.max()) + 1 for along in block]
        flat_block = np.ravel_multi_index(block, shape)
        # Number the occupied blocks consecutively.
        number = np.zeros(math.prod(shape), dtype=np.int64)
        number[flat_block] = 1
        occupied = np.flatnonzero(number)
        number[occupied] = np.arange(occupied.size)
        block_of_point = number[flat_block]
        block_kji = np.stack(np.unravel_index(occupied, shape)).T
        centre_kji = first_kji + (block_kji + 0.5) * side_kji - 0.5
        _, nearest = self._tree.query(centre_kji * self._spacing)
        centre_mm = lengths_mm(centre_kji - self._others_kji[nearest], self._spacing)
        offset_mm = lengths_mm(points_kji - centre_kji[block_of_point], self._spacing)
        nearest_kji = self._others_kji[nearest[block_of_point]]
        upper_mm = lengths_mm(points_kji - nearest_kji, self._spacing)
        return centre_mm[block_of_point] - offset_mm, upper_mm


def lengths_mm(step_kji: Points | Floats, spacing_kji_mm: Floats) -> Floats:
    """(n,) lengths in millimetres of steps (n, 3) on a grid."""
    lengths: Floats = np.sqrt(((step_kji * spacing_kji_mm) ** 2).sum(axis=1))
    return lengths
