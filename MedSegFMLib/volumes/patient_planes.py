"""The axial, coronal and sagittal plane of a volume as 2D images, for any order of its axes.

Radiological convention: axial and coronal with the patient's right on the viewer's left, axial with
anterior up, coronal and sagittal with superior up, sagittal with anterior on the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry
from .region import Shape

# For each plane: the directions perpendicular to it, and those toward which columns and rows grow.
_DIRECTIONS = {"axial": ("SI", "L", "P"), "coronal": ("AP", "L", "I"), "sagittal": ("RL", "P", "I")}
# The side of the patient toward which slice positions increase.
SLICE_SIDES = {"axial": "S", "coronal": "A", "sagittal": "R"}


@dataclass(frozen=True)
class Plane:
    """One of the three planes of a grid.

    Attributes:
        axis_kji: the array axis perpendicular to the plane.
        rows_kji: the array axis down the image.
        columns_kji: the array axis across the image.
        flip_rows: whether the array axis runs opposite to the image's rows.
        flip_columns: whether the array axis runs opposite to the image's columns.
        aspect: row spacing divided by column spacing.
        edge_letters: the sides of the patient at the left, right, top and bottom.
    """

    name: str
    axis_kji: int
    rows_kji: int
    columns_kji: int
    flip_rows: bool
    flip_columns: bool
    aspect: float
    edge_letters: tuple[str, str, str, str]

    def cut(self, array_kji: NDArray[Any], index: int) -> NDArray[Any]:
        """The 2D image (rows, columns) at `index` along the perpendicular axis."""
        image: NDArray[Any] = np.take(array_kji, index, axis=self.axis_kji)
        if self.rows_kji > self.columns_kji:
            image = image.T
        if self.flip_rows:
            image = image[::-1]
        return image[:, ::-1] if self.flip_columns else image

    def position(
        self, kji: NDArray[np.float64], shape_kji: Shape
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Columns and rows in the image of (…, 3) continuous voxel indices."""
        columns, rows = kji[..., self.columns_kji], kji[..., self.rows_kji]
        if self.flip_columns:
            columns = shape_kji[self.columns_kji] - 1 - columns
        if self.flip_rows:
            rows = shape_kji[self.rows_kji] - 1 - rows
        return columns, rows


def planes(geometry: Geometry) -> list[Plane]:
    """The axial, coronal and sagittal plane of a grid, each along the nearest of its axes."""
    codes_kji = geometry.axis_codes[::-1]
    spacing_kji = geometry.spacing_kji_mm
    pairs = ["RL", "AP", "SI"]

    def axis_of(letter: str) -> int:
        pair = next(p for p in pairs if letter in p)
        return next(n for n, code in enumerate(codes_kji) if code in pair)

    def opposite(letter: str) -> str:
        return next(p for p in pairs if letter in p).replace(letter, "")

    result = []
    for name, (cut, column, row) in _DIRECTIONS.items():
        rows, columns = axis_of(row), axis_of(column)
        result.append(
            Plane(
                name,
                axis_of(cut[0]),
                rows,
                columns,
                flip_rows=codes_kji[rows] != row,
                flip_columns=codes_kji[columns] != column,
                aspect=spacing_kji[rows] / spacing_kji[columns],
                edge_letters=(opposite(column), column, opposite(row), row),
            )
        )
    return result


def slice_positions_mm(geometry: Geometry, plane: Plane) -> NDArray[np.float64]:
    """(n,) distance of each slice of a plane from the RAS origin, along the slice axis.

    It increases toward `SLICE_SIDES`; if the axis is not oblique, it is the coordinate.
    """
    axis_ijk = 2 - plane.axis_kji
    direction = geometry.directions[:, axis_ijk]
    direction = direction * np.sign(direction["RAS".index(SLICE_SIDES[plane.name])] or 1)
    ijk = np.zeros((geometry.shape_kji[plane.axis_kji], 3))
    ijk[:, axis_ijk] = np.arange(len(ijk))
    return np.asarray(geometry.ras_from_ijk(ijk) @ direction)
