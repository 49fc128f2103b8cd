"""The cube of cells that the network sees, in the axes of the patient.

As SAM-Med3D's scripts make it (torchio's `Resample` and `CropOrPad`): a lattice of cells of 1.5 mm
has the centre of the volume, and the cube is the part of it around the object, padded with zeros.
Axes are those of training: right, anterior, superior, so that a volume looks the same however it is
stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ...volumes.geometry import Geometry
from ...volumes.region import Region, shape_triple
from ...volumes.resampling import axis_weights, linear_weights, weighted

CELL_MM = 1.5
# An object that would fill more of the cube than this part gets larger cells.
_MOST_FILLED = 0.9
# Positions this close to a whole number of cells are that number.
_TOLERANCE = 1e-6
_DIRECTIONS = ("RL", "AP", "SI")


@dataclass(frozen=True)
class CellAxis:
    """The lattice along one direction of the patient.

    Attributes:
        array_axis: The axis of the volume's array, 0 to 2.
        voxels: The voxels along it.
        first: The position of the lattice's first cell, in voxels.
        step: The voxels from a cell to the next, below 0 if the array runs the other way.
        cells: The number of cells of the lattice.
        start: The first cell of the cube.
    """

    array_axis: int
    voxels: int
    first: float
    step: float
    cells: int
    start: int = 0

    def voxel_of(self, cell: NDArray[Any] | float) -> Any:
        """The position in voxels of a cell of the cube."""
        return self.first + self.step * (cell + self.start)

    def cell_of(self, voxel: NDArray[Any] | float) -> Any:
        """The position in cells of the cube of a voxel."""
        return (voxel - self.first) / self.step - self.start


@dataclass(frozen=True)
class CellWindow:
    """A cube of cells.

    Attributes:
        axes: Its axes, toward the right, anterior and superior side.
        side: The cells along each.
    """

    axes: tuple[CellAxis, CellAxis, CellAxis]
    side: int

    @classmethod
    def around(cls, region: Region, geometry: Geometry, side: int) -> CellWindow:
        """The cube around a region of a volume, of 1.5 mm cells or of larger ones if it is wide."""
        spacing = geometry.spacing_kji_mm
        widest_mm = max(n * mm for n, mm in zip(region.shape_kji, spacing, strict=True))
        cell_mm = max(CELL_MM, widest_mm / (_MOST_FILLED * side))
        axes = [
            _placed(_lattice_axis(geometry, direction, cell_mm), region, side)
            for direction in range(3)
        ]
        return cls((axes[0], axes[1], axes[2]), side)

    def region(self) -> Region:
        """The voxels of the volume whose centres are in the cube."""
        bounds: dict[int, tuple[int, int]] = {}
        for axis in self.axes:
            faces = sorted((axis.voxel_of(-0.5), axis.voxel_of(self.side - 0.5)))
            low, high = ceil(faces[0] - _TOLERANCE), floor(faces[1] + _TOLERANCE) + 1
            bounds[axis.array_axis] = max(0, low), min(axis.voxels, high)
        start, stop = zip(*(bounds[axis] for axis in range(3)), strict=True)
        return Region(shape_triple(start), shape_triple(stop))

    def cells_of(
        self, array_kji: NDArray[Any], region: Region, outside: float, within_lattice: bool = True
    ) -> Logits:
        """An array of a region of the volume as cells of the cube, by linear interpolation.

        Args:
            array_kji: (K, J, I) of the region.
            region: The region.
            outside: The value of cells outside the region, or outside the lattice.
            within_lattice: Whether cells must be of the lattice, which ends within the volume.

        Returns:
            (right, anterior, superior) float32.
        """
        weights: list[Logits] = [np.empty(0, np.float32)] * 3
        seen = []
        numbers = np.arange(self.side)
        for axis in self.axes:
            place = axis.voxel_of(numbers) - region.start_kji[axis.array_axis]
            width = region.shape_kji[axis.array_axis]
            weights[axis.array_axis] = linear_weights(place, width)
            inside = (place >= -0.5 - _TOLERANCE) & (place <= width - 0.5 + _TOLERANCE)
            lattice = (numbers + axis.start >= 0) & (numbers + axis.start < axis.cells)
            seen.append(lattice & inside if within_lattice else inside)
        # Of a fine volume, most voxels are in no cell.
        used = [np.flatnonzero(weight.any(axis=0)) for weight in weights]
        voxels = array_kji[np.ix_(*used)]
        cells = weighted(voxels, [weight[:, of] for weight, of in zip(weights, used, strict=True)])
        cells = cells.transpose([axis.array_axis for axis in self.axes])
        return np.where(_all_of(seen), cells, np.float32(outside))

    def voxels_of(self, mask: Logits, region: Region) -> Logits:
        """A mask of the cube at the voxels of a region of the volume.

        Args:
            mask: (right, anterior, superior) of any number of cells; it is enlarged to those of the
                cube, and both steps of linear interpolation are one product along each axis.
            region: The region.

        Returns:
            (K, J, I) float32.
        """
        weights: list[Logits] = []
        for axis, count in zip(self.axes, mask.shape, strict=True):
            first, last = region.start_kji[axis.array_axis], region.stop_kji[axis.array_axis]
            to_voxels = linear_weights(axis.cell_of(np.arange(first, last)), self.side)
            weights.append(to_voxels @ axis_weights(count, self.side))
        order = np.argsort([axis.array_axis for axis in self.axes])
        return weighted(mask.transpose(order), [weights[n] for n in order])

    def cell_positions(self, voxels_kji: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, 3) voxels as positions in cells, centres being whole numbers from 0."""
        columns = [axis.cell_of(voxels_kji[:, axis.array_axis]) for axis in self.axes]
        return np.stack(columns, axis=1).astype(np.float32)


def _lattice_axis(geometry: Geometry, direction: int, cell_mm: float) -> CellAxis:
    """The lattice toward right (0), anterior (1) or superior (2), centred on the volume.

    It ends within the volume, and one slice stays one.
    """
    letters = _DIRECTIONS[direction]
    index = next(n for n, code in enumerate(geometry.axis_codes) if code in letters)
    voxels, spacing = geometry.shape_kji[2 - index], geometry.spacing_ijk_mm[index]
    cells = 1 if voxels == 1 else max(1, floor(voxels * spacing / cell_mm + _TOLERANCE))
    sign = 1 if geometry.axis_codes[index] == letters[0] else -1
    step = sign * cell_mm / spacing
    return CellAxis(2 - index, voxels, (voxels - 1) / 2 - step * (cells - 1) / 2, step, cells)


def _placed(axis: CellAxis, region: Region, side: int) -> CellAxis:
    """The lattice with the start of the cube whose middle is that of a region."""
    low, high = region.start_kji[axis.array_axis], region.stop_kji[axis.array_axis]
    middle = axis.cell_of((low + high - 1) / 2) + 0.5
    start = floor(middle + _TOLERANCE) - side // 2
    return CellAxis(axis.array_axis, axis.voxels, axis.first, axis.step, axis.cells, start)


def _all_of(along: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Where the conditions along all three axes are met."""
    first, second, third = along
    result: NDArray[np.bool_] = first[:, None, None] & second[:, None] & third
    return result
