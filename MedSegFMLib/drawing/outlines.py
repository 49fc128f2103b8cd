"""Masks as pictures show them: a name, a colour, and the voxels of the region they are in."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volumes.masks import bounding_box
from ..volumes.patient_planes import Plane
from ..volumes.region import Region, Shape

# Okabe and Ito's colours, which colour-blind readers can distinguish.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
# The fraction of the circle of hues between two further colours: the golden ratio repeats none.
_HUE_STEP = 0.618034
_SATURATIONS = (0.45, 0.85)


def object_colour(number: int) -> str:
    """The colour of the object `number`, from 0; each number has its own."""
    if number < len(COLOURS):
        return COLOURS[number]
    hue = (number * _HUE_STEP) % 1.0
    rgb = colorsys.hsv_to_rgb(hue, _SATURATIONS[number % 2], 1.0)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


@dataclass(frozen=True, eq=False)
class Outline:
    """A mask and the style of its outline.

    Attributes:
        name: its text in the legend.
        region: the part of the volume that `mask_kji` covers; nothing is set outside it. None for
            an empty mask.
        mask_kji: bool or 0 and 1, (K, J, I) of the region.
        colour: the line's colour.
        dashed: whether the line is dashed.
    """

    name: str
    region: Region | None
    mask_kji: NDArray[Any]
    colour: str
    dashed: bool = False

    @classmethod
    def from_mask(
        cls, name: str, mask_kji: NDArray[Any], colour: str, dashed: bool = False
    ) -> Outline:
        """The outline of a mask of the whole volume."""
        box = bounding_box(mask_kji)
        if box is None:
            return cls(name, None, np.zeros((0, 0, 0), bool), colour, dashed)
        return cls(name, Region.from_slices(box), mask_kji[box], colour, dashed)

    def cut(self, plane: Plane, shape_kji: Shape, index: int) -> NDArray[Any] | None:
        """The mask in a slice of the volume, (rows, columns); None if it is not in that slice."""
        if self.region is None:
            return None
        cut = cut_of_region(self.mask_kji, self.region, plane, shape_kji, index)
        return cut if cut is not None and cut.any() else None

    def largest_slice(self, axis_kji: int) -> int | None:
        """The index of the slice with most of its voxels; of several, the one in the middle."""
        if self.region is None:
            return None
        others = tuple(axis for axis in range(3) if axis != axis_kji)
        counts = np.count_nonzero(self.mask_kji, axis=others)
        largest = np.flatnonzero(counts == counts.max())
        return int(self.region.start_kji[axis_kji] + largest[len(largest) // 2])


def cut_of_region(
    array_kji: NDArray[Any], region: Region, plane: Plane, shape_kji: Shape, index: int
) -> NDArray[Any] | None:
    """A slice of the volume (rows, columns) from an array that covers a region; 0 elsewhere.

    Returns:
        None if the slice is not in the region.
    """
    axis = plane.axis_kji
    if not region.start_kji[axis] <= index < region.stop_kji[axis]:
        return None
    shape = [1 if n == axis else count for n, count in enumerate(shape_kji)]
    whole = np.zeros(shape, array_kji.dtype)
    place = list(region.slices)
    place[axis] = slice(0, 1)
    whole[tuple(place)] = array_kji.take([index - region.start_kji[axis]], axis)
    return plane.cut(whole, 0)
