"""The surface of a mask as elements, each with its area.

There is a surface element (surfel) at every corner between 2x2x2 voxels that are not all equal. Its
area is a marching-cubes estimate looked up from those eight voxels (Nikolov et al. 2018,
arXiv:1809.04430). The table is DeepMind's, from the package `surface-distance`; the distances of
that package are not used, because release 0.1 calls `np.Inf` for an empty mask, which numpy 2
lacks, and sorts in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volumes.masks import Mask, bounding_box
from ..volumes.nearest_points import NearestPoints

_ALL_INSIDE = 255


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface elements of a mask.

    Attributes:
        corner_kji: (n, 3), in array order; corner c is between voxels c - 1 and c.
        area_mm2: (n,).
        spacing_kji_mm: (3,), of the grid.
    """

    corner_kji: NDArray[np.int64]
    area_mm2: NDArray[np.float64]
    spacing_kji_mm: NDArray[np.float64]

    @cached_property
    def nearest(self) -> NearestPoints:
        """The search structure for distances to this surface, built once."""
        return NearestPoints(self.corner_kji, self.spacing_kji_mm)


def extract_surface(
    mask: Mask, spacing_kji_mm: NDArray[np.float64], first_kji: Sequence[int] = (0, 0, 0)
) -> Surface | None:
    """The surface of a mask (K, J, I), or None if it is empty.

    Args:
        mask: the mask.
        spacing_kji_mm: (3,).
        first_kji: the position of the mask's first voxel in the grid of the corners.
    """
    # Split at empty slices, so that a distant stray voxel does not enlarge a piece.
    occupied = np.flatnonzero(mask.any(axis=(1, 2)))
    if occupied.size == 0:
        return None
    runs = np.split(occupied, np.flatnonzero(np.diff(occupied) > 1) + 1)
    pieces = [_piece(mask, int(run[0]), int(run[-1]) + 1) for run in runs]
    code = np.concatenate([code for _, code in pieces])
    corner_kji = np.concatenate([corners for corners, _ in pieces]) + np.asarray(first_kji)
    return Surface(corner_kji, _area_by_code_mm2(*spacing_kji_mm.tolist())[code], spacing_kji_mm)


def _piece(mask: Mask, start_k: int, stop_k: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Corners (n, 3), in array order, and codes (n,) of a range of slices of a mask."""
    box = bounding_box(mask[start_k:stop_k])
    assert box is not None, "the slices are occupied"
    # One voxel of zeros on every side closes the surface of an object at the border of the grid.
    code: NDArray[Any] = np.pad(mask[start_k:stop_k][box] != 0, 1).view(np.uint8)
    # Eight voxels form a byte, one axis at a time, in the bit order of the package's kernel.
    code = code[:, :, :-1] << 1 | code[:, :, 1:]
    code = code[:, :-1] << 2 | code[:, 1:]
    code = code[:-1] << 4 | code[1:]
    at = np.flatnonzero((code != 0) & (code != _ALL_INSIDE))
    corner_kji = np.stack(np.unravel_index(at, code.shape)).T
    first_kji = np.array([start_k, box[1].start, box[2].start])
    return corner_kji + first_kji, code.ravel()[at]


@lru_cache(maxsize=8)  # the package builds the table in a Python loop; a case has many labels
def _area_by_code_mm2(k_mm: float, j_mm: float, i_mm: float) -> NDArray[np.float64]:
    from surface_distance import lookup_tables

    table: NDArray[np.float64] = lookup_tables.create_table_neighbour_code_to_surface_area(
        (k_mm, j_mm, i_mm)
    )
    return table
