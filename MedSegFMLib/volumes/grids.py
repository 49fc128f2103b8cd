"""Masks of one grid on another, in physical space."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import numbers_text
from .geometry import Geometry, Matrix
from .region import Region, Shape, shape_triple
from .volume import Volume

# Voxel centres that differ by less are at the same place; files round their matrices.
_SAME_VOXEL = 1e-2


def start_on_grid(part: Geometry, whole: Geometry) -> Shape | None:
    """The index (k, j, i) in `whole` of the first voxel of `part`; None if their voxels differ.

    The part may extend beyond the whole, so that an index may be negative.
    """
    places = _corners_on(part, whole)
    start_ijk = np.rint(places[0])
    if np.abs(places - start_ijk - part.corners_ijk()).max() >= _SAME_VOXEL:
        return None
    return shape_triple(start_ijk[::-1].tolist())


def have_same_voxels(part: Geometry, whole: Geometry) -> bool:
    """Whether each voxel of `part` is at one of a grid that continues `whole`, in any order."""
    axes = np.abs(np.rint((whole.ras_to_ijk @ part.ijk_to_ras)[:3, :3]))
    if (axes.sum(axis=0) != 1).any() or (axes.sum(axis=1) != 1).any():
        return False
    places = _corners_on(part, whole)
    return bool(np.abs(places - np.rint(places)).max() < _SAME_VOXEL)


def may_overlap(one: Geometry, other: Geometry) -> bool:
    """Whether two grids may overlap in space; False is certain."""
    for a, b in ((one, other), (other, one)):
        corners_ijk = a.ijk_from_ras(b.ras_from_ijk(b.corners_ijk(0.5)))
        size_ijk = a.shape_kji[::-1]
        low, high = corners_ijk.min(axis=0), corners_ijk.max(axis=0)
        if any(h <= -0.5 or n - 0.5 <= w for w, h, n in zip(low, high, size_ijk, strict=True)):
            return False
    return True


def extent_text(geometry: Geometry) -> str:
    """The outer faces of a grid for a message: "from (0, 0, 0) to (9, 9, 9) RAS mm"."""
    faces = geometry.ras_from_ijk(geometry.corners_ijk(edge=0.5))
    low, high = (numbers_text(v.tolist()) for v in (faces.min(axis=0), faces.max(axis=0)))
    return f"from {low} to {high} RAS mm"


def _corners_on(part: Geometry, whole: Geometry) -> Matrix:
    """(8, 3): where the corner voxels of one grid are in another, as (i, j, k)."""
    return whole.ijk_from_ras(part.ras_from_ijk(part.corners_ijk()))


def brought_to_grid(
    mask_kji: NDArray[Any], part: Geometry, whole: Geometry
) -> tuple[Region, NDArray[np.bool_]] | None:
    """A mask on any grid, brought to the grid `whole` by taking the nearest voxel.

    Args:
        mask_kji: bool or uint8, (K, J, I).
        part: the grid of the mask.
        whole: the grid of the result.

    Returns:
        The region of that grid and its voxels, bool; None if no part of the mask is on it.
    """
    start = start_on_grid(part, whole)
    inside = Region.whole(whole.shape_kji)
    if start is not None:
        place = Region.at(start, part.shape_kji)
        common = place.intersection(inside)
        if common is None:
            return None
        return common, mask_kji[common.relative_to(place).slices].astype(bool)
    corners = whole.ijk_from_ras(part.ras_from_ijk(part.corners_ijk(edge=0.5)))[:, ::-1]
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    region = Region(shape_triple(low.tolist()), shape_triple(high.tolist())).intersection(inside)
    if region is None:
        return None
    moved = Volume(mask_kji.astype(np.uint8), part).resample(whole.crop(region), order=0)
    return region, moved.array_kji.astype(bool)
