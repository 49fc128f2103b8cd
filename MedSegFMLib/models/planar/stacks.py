"""A region as a stack of slices along each patient plane, and back.

Stack coordinates are (slice, row, column). Slices are ordered towards the patient's superior,
anterior and left side, rows and columns as in `patient_planes`, so that a volume whose axes are
permuted or flipped gives exactly the same stacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...volumes.geometry import Geometry
from ...volumes.patient_planes import planes
from ...volumes.region import Region, Shape, shape_triple

PLANE_NAMES = ("axial", "coronal", "sagittal")

# Slices with a shorter side, in pixels, are useless to a network whose patches are 16 wide.
LEAST_SIDE = 8

_SLICES_GROW_TO = {"axial": "S", "coronal": "A", "sagittal": "L"}


@dataclass(frozen=True)
class StackPlane:
    """The orientation of a plane's stack in an array (K, J, I).

    Attributes:
        axes_kji: The array axes of slices, rows and columns.
        flips: Which of these three are reversed.
        spacing_mm: The spacing of slices, rows and columns.
    """

    name: str
    axes_kji: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    spacing_mm: tuple[float, float, float]

    def shape(self, shape_kji: Sequence[int]) -> Shape:
        """(slices, rows, columns) of an array of that shape."""
        return shape_triple(shape_kji[axis] for axis in self.axes_kji)

    def stack(self, array_kji: NDArray[Any]) -> NDArray[Any]:
        """(slices, rows, columns), C-contiguous, of an array (K, J, I); a copy if necessary."""
        return np.ascontiguousarray(array_kji.transpose(self.axes_kji)[self._reversal])

    def unstack(self, stack: NDArray[Any]) -> NDArray[Any]:
        """(K, J, I), C-contiguous, of a stack: the inverse of `stack`."""
        return np.ascontiguousarray(stack[self._reversal].transpose(np.argsort(self.axes_kji)))

    def region(self, region: Region, shape_kji: Sequence[int]) -> Region:
        """A region of an array of `shape_kji`, in (slice, row, column)."""
        start, stop = [], []
        for axis, flip in zip(self.axes_kji, self.flips, strict=True):
            a, b, n = region.start_kji[axis], region.stop_kji[axis], shape_kji[axis]
            start.append(n - b if flip else a)
            stop.append(n - a if flip else b)
        return Region(shape_triple(start), shape_triple(stop))

    def voxels(self, kji: NDArray[np.int64], shape_kji: Sequence[int]) -> NDArray[np.int64]:
        """(n, 3) voxel indices of an array of `shape_kji`, as (slice, row, column)."""
        permuted = kji[:, self.axes_kji]
        last = np.array(self.shape(shape_kji)) - 1
        return np.asarray(np.where(self.flips, last - permuted, permuted))

    def whole_slices(self, region: Region, shape_kji: Sequence[int]) -> Region:
        """The region's slices over the whole width and height of an array of `shape_kji`."""
        start, stop = [0, 0, 0], list(shape_kji)
        cut = self.axes_kji[0]
        start[cut], stop[cut] = region.start_kji[cut], region.stop_kji[cut]
        return Region(shape_triple(start), shape_triple(stop))

    @property
    def _reversal(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else None) for flip in self.flips)


def stack_planes(geometry: Geometry) -> dict[str, StackPlane]:
    """The three planes of a grid by name; oblique axes count as the nearest patient axes."""
    codes_kji = geometry.axis_codes[::-1]
    spacing = geometry.spacing_kji_mm
    stacks = {}
    for plane in planes(geometry):
        axes = (plane.axis_kji, plane.rows_kji, plane.columns_kji)
        against = codes_kji[plane.axis_kji] != _SLICES_GROW_TO[plane.name]
        stacks[plane.name] = StackPlane(
            plane.name,
            axes,
            (against, plane.flip_rows, plane.flip_columns),
            (spacing[axes[0]], spacing[axes[1]], spacing[axes[2]]),
        )
    return stacks


def planes_to_segment(planes_by_name: dict[str, StackPlane], shape_kji: Sequence[int]) -> list[str]:
    """The planes whose slices of such an array are large enough; the largest if none is."""
    sides = {name: min(plane.shape(shape_kji)[1:]) for name, plane in planes_by_name.items()}
    wide = [name for name, side in sides.items() if side >= LEAST_SIDE]
    return wide or [max(sides, key=lambda name: sides[name])]
