"""The places of a question in pictures: slices through each, with its number at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..prompts.places import Place
from ..volumes.geometry import Geometry
from ..volumes.patient_planes import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# That of the mark of doubt in Slicer's views.
_COLOUR = "#FFE666"
# Slices in which a number is drawn, on each side of its own.
_NEAR = 1


def voxel_of(place: Place, geometry: Geometry) -> tuple[int, int, int]:
    """The voxel (k, j, i) of a place."""
    i, j, k = np.rint(geometry.ijk_from_ras(place.position_ras)).astype(int).tolist()
    return k, j, i


def draw_places(
    axes: Axes, plane: Plane, geometry: Geometry, places: Sequence[Place], index: int
) -> None:
    """Draw the numbers of the places that are in a slice, or beside it."""
    for place in places:
        voxel = np.array(voxel_of(place, geometry))
        if abs(int(voxel[plane.axis_kji]) - index) > _NEAR:
            continue
        columns, rows = plane.position(voxel[None].astype(float), geometry.shape_kji)
        axes.text(
            float(columns[0]),
            float(rows[0]),
            str(place.number),
            color="black",
            fontsize=9,
            fontweight="bold",
            ha="center",
            va="center",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": _COLOUR, "edgecolor": "black"},
            zorder=4,
        )
