"""What answers have put into a segment, and how the next answer meets what others did there.

The rule: a voxel that somebody else painted or erased since the last answer stays as they left it.
Every other voxel is as the answer says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...volumes.masks import bounding_box
from ...volumes.region import Region
from .oriented_images import Mask


@dataclass(frozen=True, eq=False)
class Holding:
    """The voxels of a segment that it has from answers: `mask_kji` on `region`, none elsewhere."""

    region: Region
    mask_kji: Mask

    def on(self, region: Region) -> Mask:
        """The same voxels on another region; what is outside it is left out."""
        found = np.zeros(region.shape_kji, dtype=bool)
        common = region.intersection(self.region)
        if common is not None:
            theirs = self.mask_kji[common.relative_to(self.region).slices]
            found[common.relative_to(region).slices] = theirs
        return found


@dataclass(frozen=True, eq=False)
class PackedHolding:
    """A holding with eight voxels in a byte, to be remembered for undo."""

    region: Region
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, holding: Holding) -> PackedHolding:
        """Pack a holding."""
        return cls(holding.region, np.packbits(holding.mask_kji))

    def unpacked(self) -> Holding:
        """The holding as it was."""
        bits = np.unpackbits(self.bits, count=self.region.size)
        return Holding(self.region, bits.astype(bool).reshape(self.region.shape_kji))


@dataclass(frozen=True, eq=False)
class Merge:
    """What to change in a segment on a region, all bool arrays of it.

    added, removed: the voxels that the segment gains and loses.
    foreign: the voxels that others changed since the last answer.
    """

    added: Mask
    removed: Mask
    foreign: Mask


def merge(current: Mask, held: Mask, wanted: Mask) -> Merge:
    """Bring a segment that holds `current`, of which `held` is from answers, to `wanted`."""
    foreign = current ^ held
    differs = (current ^ wanted) & ~foreign
    return Merge(differs & wanted, differs & current, foreign)


def tight(mask_kji: Mask, region: Region) -> tuple[Region, Mask] | None:
    """The smallest part of `region` that holds all of a mask, and the mask there."""
    box = bounding_box(mask_kji)
    if box is None:
        return None
    return Region.from_slices(box).shifted(region.start_kji), mask_kji[box]
