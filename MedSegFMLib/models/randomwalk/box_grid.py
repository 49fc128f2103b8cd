"""A box on a grid of cells: its cells and the location prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...volumes.pooling import Floats
from ...volumes.region import Region, Shape, shape_triple
from .settings import Settings

Cell = Shape


@dataclass(frozen=True, eq=False)
class BoxGrid:
    """The cells of a crop around a box.

    Attributes:
        factors: Voxels per cell along k, j, i.
        shape: Cells along k, j, i.
        cell_half_boxes: The width of a cell in half boxes.
        inside: bool, the cells of the box, at least one along each axis.
        prior: float32 logits of each cell from its location alone.
    """

    factors: Shape
    shape: Shape
    cell_half_boxes: NDArray[np.float64]
    inside: NDArray[np.bool_]
    prior: Floats

    def cell_of(self, voxel_kji: Sequence[int]) -> Cell:
        """The cell that contains a voxel of the crop; the nearest cell for a voxel outside."""
        cells = np.asarray(voxel_kji) // self.factors
        return shape_triple(np.clip(cells, 0, np.array(self.shape) - 1).tolist())

    def half_boxes_from(self, cell: Cell) -> Floats:
        """The distance of every cell from `cell` in half boxes."""
        squares = [
            ((np.arange(n) - at) * width) ** 2
            for n, at, width in zip(self.shape, cell, self.cell_half_boxes, strict=True)
        ]
        k, j, i = np.ix_(*squares)
        return np.asarray(np.sqrt(k + j + i), dtype=np.float32)

    def box_slices(self) -> tuple[slice, slice, slice]:
        """The slices that cut the box out of an array of cells."""
        filled = [np.flatnonzero(self.inside.any(axis=a)) for a in ((1, 2), (0, 2), (0, 1))]
        k, j, i = (slice(int(cells[0]), int(cells[-1]) + 1) for cells in filled)
        return (k, j, i)


def make_box_grid(
    crop_shape_kji: Shape, box: Region, spacing_kji_mm: Sequence[float], settings: Settings
) -> BoxGrid:
    """The grid of a box, which is given in voxels of the crop."""
    factors = _factors(crop_shape_kji, box, spacing_kji_mm, settings)
    shape = shape_triple(-(-n // f) for n, f in zip(crop_shape_kji, factors, strict=True))
    half = np.array(box.shape_kji) / 2
    centre = np.array(box.start_kji) + half - 0.5
    offsets = []
    for n, factor, middle, width in zip(shape, factors, centre, half, strict=True):
        offset = np.abs((np.arange(n) + 0.5) * factor - 0.5 - middle) / width
        # A box thinner than a cell still contains the cell nearest to it.
        offsets.append(np.where(offset == offset.min(), np.minimum(offset, 1), offset))
    k, j, i = np.ix_(*offsets)
    inside = (k <= 1) & (j <= 1) & (i <= 1)
    p = settings.prior_shape
    radius = (k**p + j**p + i**p) ** (1 / p)
    prior = settings.prior_centre - settings.prior_slope * radius**settings.prior_power
    prior = np.clip(prior, -6, 6)
    prior = np.where(inside, prior, np.minimum(prior, settings.prior_outside))
    return BoxGrid(factors, shape, np.array(factors) / half, inside, prior.astype(np.float32))


def _factors(
    shape_kji: Shape, box: Region, spacing_kji_mm: Sequence[float], settings: Settings
) -> Shape:
    """Voxels per cell that bring the crop below the limit; the finest spacing is pooled first."""
    factors = [1, 1, 1]
    while prod(-(-n // f) for n, f in zip(shape_kji, factors, strict=True)) > settings.most_cells:
        # An axis along which the box would be a few cells wide is pooled only after all others.
        across = [n // (f + 1) for n, f in zip(box.shape_kji, factors, strict=True)]
        axis = min(
            range(3),
            key=lambda a: (
                across[a] < settings.least_cells_across,
                spacing_kji_mm[a] * factors[a],
            ),
        )
        factors[axis] += 1
    return shape_triple(factors)
