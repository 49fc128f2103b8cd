"""Voxels that a segment has from a model, and how the next answer treats what others changed.

The rule: a voxel that was painted or erased by others since the last answer stays as it is. Every
other voxel follows the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...volumes.masks import bounding_box
from ...volumes.region import Region, on_region
from .oriented_images import Mask


@dataclass(frozen=True, eq=False)
class ModelVoxels:
    """Voxels that a segment has from a model.

    Attributes:
        region: The part of a grid that the mask covers; there are no such voxels outside it.
        mask_kji: bool, (K, J, I) of the region.
    """

    region: Region
    mask_kji: Mask

    @cached_property
    def packed(self) -> PackedVoxels:
        """The same voxels with eight of them in a byte; packed once."""
        return PackedVoxels(self.region, np.packbits(self.mask_kji))

    def on(self, region: Region) -> Mask:
        """The same voxels on another region, without those outside it."""
        return on_region(self.mask_kji, self.region, region)


@dataclass(frozen=True, eq=False)
class PackedVoxels:
    """`ModelVoxels` with eight voxels in a byte, kept for undo.

    Attributes:
        region: The part of a grid that the mask covers.
        bits: uint8, the mask's voxels in C order, as `numpy.packbits` packs them.
    """

    region: Region
    bits: NDArray[np.uint8]

    def unpacked(self) -> ModelVoxels:
        """The voxels as they were before packing."""
        bits = np.unpackbits(self.bits, count=self.region.size)
        return ModelVoxels(self.region, bits.astype(bool).reshape(self.region.shape_kji))


@dataclass(frozen=True, eq=False)
class Merge:
    """Changes that bring a segment to an answer; all bool arrays of one region.

    Attributes:
        added: Voxels that the segment gains.
        removed: Voxels that it loses.
        foreign: Voxels that others changed since the last answer.
    """

    added: Mask
    removed: Mask
    foreign: Mask


def merge(current: Mask, from_model: Mask, wanted: Mask) -> Merge:
    """Changes that bring a segment to an answer.

    Args:
        current: The segment's voxels, bool.
        from_model: Voxels that it has from the last answer, of the same shape.
        wanted: The new answer, of the same shape.

    Returns:
        The changes, which leave alone what others changed.
    """
    foreign = current ^ from_model
    differs = (current ^ wanted) & ~foreign
    return Merge(differs & wanted, differs & current, foreign)


def tight(mask_kji: Mask, region: Region) -> tuple[Region, Mask] | None:
    """The smallest part of a region that holds all of a mask, and the mask there; None if empty."""
    box = bounding_box(mask_kji)
    if box is None:
        return None
    return Region.from_slices(box).shifted(region.start_kji), mask_kji[box]
