"""Masks as voxels of a grid: what an object starts from, and what is fixed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import PromptError
from ..volumes.geometry import Geometry
from ..volumes.grids import brought_to_grid, extent_text, have_same_voxels
from ..volumes.masks import bounding_box
from ..volumes.region import Region, on_region
from .mask import Mask

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class StartVoxels:
    """The voxels that an object starts from.

    Attributes:
        region: the box around them.
        inside_kji: bool, (K, J, I) of the region, not to be written to.
    """

    region: Region
    inside_kji: Bools

    def within(self, region: Region) -> StartVoxels | None:
        """Those within a region, relative to its first voxel; None if it has no part of the box."""
        common = self.region.intersection(region)
        if common is None:
            return None
        here = common.relative_to(self.region).slices
        return StartVoxels(common.relative_to(region), self.inside_kji[here])

    def on(self, region: Region) -> Bools:
        """The same voxels on another region; those outside it are left out."""
        return on_region(self.inside_kji, self.region, region)


@dataclass(frozen=True, eq=False)
class FixedVoxels:
    """Voxels that no model may change.

    Attributes:
        region: a box with all of them.
        fixed_kji: bool, (K, J, I) of the region, whether each is fixed.
        inside_kji: the same, whether a fixed voxel belongs to the object.
    """

    region: Region
    fixed_kji: Bools
    inside_kji: Bools

    def within(self, region: Region) -> FixedVoxels | None:
        """Those within a region, relative to its first voxel; None if there are none."""
        common = self.region.intersection(region)
        if common is None:
            return None
        here = common.relative_to(self.region).slices
        return FixedVoxels(common.relative_to(region), self.fixed_kji[here], self.inside_kji[here])


@dataclass(frozen=True, eq=False)
class _Placed:
    region: Region
    inside: Bools
    covered: Bools | None


def start_voxels(mask: Mask, geometry: Geometry) -> StartVoxels:
    """The voxels of a mask on a grid, the nearest ones if it has another grid.

    Raises:
        PromptError: the mask is outside the grid, or covers all of it.
    """
    placed = _placed(mask, geometry)
    return StartVoxels(placed.region, placed.inside)


def fixed_voxels(masks: Iterable[Mask], geometry: Geometry) -> FixedVoxels | None:
    """The voxels that masks to avoid or to keep fix on a grid; of two, the later counts.

    Raises:
        PromptError: a mask is outside the grid.
    """
    found = [(mask, _placed(mask, geometry)) for mask in masks]
    if not found:
        return None
    region = Region.enclosing([placed.region for _, placed in found])
    fixed, inside = (np.zeros(region.shape_kji, bool) for _ in range(2))
    for mask, placed in found:
        here = placed.region.relative_to(region).slices
        kept = mask.role == "keep"
        changed = placed.inside if not kept else placed.covered
        if changed is None:
            changed = np.ones(placed.region.shape_kji, bool)
        fixed[here] |= changed
        inside[here][changed] = placed.inside[changed] if kept else False
    return FixedVoxels(region, fixed, inside)


def is_resampled(mask: Mask, geometry: Geometry) -> bool:
    """Whether the voxels of a mask are not voxels of a grid, so that the nearest ones are taken."""
    return not have_same_voxels(mask.geometry, geometry)


def touches(mask: Mask, geometry: Geometry) -> bool:
    """Whether any voxel that the mask is about is on a grid."""
    try:
        _placed(mask, geometry)
    except PromptError:
        return False
    return True


# Every step of a session asks for the voxels of the same few masks.
@lru_cache(maxsize=8)
def _placed(mask: Mask, geometry: Geometry) -> _Placed:
    inside = mask.array_kji
    brought = brought_to_grid(inside, mask.geometry, geometry)
    if brought is None:
        raise _outside(mask, geometry)
    region, placed = brought
    covered = None
    if mask.role == "keep":
        if is_resampled(mask, geometry):
            reached = brought_to_grid(np.ones_like(inside), mask.geometry, geometry)
            assert reached is not None, "it covers the same region"
            covered = reached[1]
            if not covered.any():
                raise _outside(mask, geometry)
    else:
        if not placed.any():
            # Voxels much smaller than those of the grid may lie between their centres.
            region, placed = _scattered(mask, geometry)
        box = bounding_box(placed)
        assert box is not None, "there are voxels"
        region, placed = Region.from_slices(box).shifted(region.start_kji), placed[box].copy()
        if region == Region.whole(geometry.shape_kji) and placed.all():
            raise PromptError(
                "The mask covers every voxel of the volume; choose a segment, not the whole image."
            )
    for array in (placed, covered):
        if array is not None:
            array.setflags(write=False)
    return _Placed(region, placed, covered)


def _scattered(mask: Mask, geometry: Geometry) -> tuple[Region, Bools]:
    """The voxels of a grid that the centres of a mask's voxels are in."""
    centres_ijk = np.argwhere(mask.array_kji)[:, ::-1]
    kji = np.rint(geometry.ijk_from_ras(mask.geometry.ras_from_ijk(centres_ijk)))[:, ::-1]
    kji = kji[((kji >= 0) & (kji < geometry.shape_kji)).all(axis=1)].astype(np.int64)
    if not len(kji):
        raise _outside(mask, geometry)
    region = Region.around(kji)
    placed = np.zeros(region.shape_kji, bool)
    placed[tuple((kji - np.array(region.start_kji)).T)] = True
    return region, placed


def _outside(mask: Mask, geometry: Geometry) -> PromptError:
    return PromptError(
        f"The mask, {extent_text(mask.geometry)}, is outside the volume, {extent_text(geometry)}; "
        "choose one that was made on this volume."
    )
