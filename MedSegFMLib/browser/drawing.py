"""Drawings of a page as prompts: pixels of an image that it showed become places in the patient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import PageError
from ..prompts.positions import Position, as_position
from ..prompts.types import Box, Lasso, Line, Point, Prompt, Scribble
from ..volumes.geometry import Geometry, Matrix
from .view_image import ViewImage

KINDS = ("box", "positive", "negative", "scribble", "lasso", "line")


def places_ras(
    image: ViewImage, number: int, pixels: Sequence[tuple[float, float]]
) -> list[Position]:
    """The places of pixels in RAS millimetres.

    Args:
        image: The view.
        number: The number of the image that was drawn on.
        pixels: x and y in that image from its upper left corner.

    Raises:
        PageError: If the view is no slice, or the image is too old.
    """
    matrix = image.pixels_to_ras(number)
    if matrix is None:
        raise PageError("The view has changed since; draw again in a slice view.")
    return [as_position(place) for place in _moved(matrix, [(x, y, 0.0) for x, y in pixels])]


def prompt_of(kind: str, places: Sequence[Position], geometry: Geometry) -> Prompt:
    """The prompt of a drawing.

    Args:
        kind: One of `KINDS`.
        places: Its places in RAS millimetres: of a box two corners in one slice, of a line both
            ends.
        geometry: The grid of the volume.

    Raises:
        PromptError: If it encloses nothing, or is not in the volume.
    """
    if kind == "box":
        return box_around(places, geometry)
    if kind == "scribble":
        return Scribble(tuple(places))
    if kind == "lasso":
        return Lasso(tuple(places))
    if kind == "line":
        return Line((places[0], places[-1]))
    return Point(places[-1], kind == "positive")


def box_around(places: Sequence[Position], geometry: Geometry) -> Box:
    """A box of whole voxels with two opposite corners in one slice.

    Across the slices it is as deep as its sides are long in the mean; it ends with the volume.

    Args:
        places: The corners in RAS millimetres.
        geometry: The grid of the volume.

    Raises:
        PromptError: If no voxel is inside.
    """
    ijk = np.array([geometry.ijk_from_ras(place) for place in (places[0], places[-1])])
    low, high = ijk.min(axis=0), ijk.max(axis=0)
    spacing = np.linalg.norm(geometry.ijk_to_ras[:3, :3], axis=0)
    across = int(np.argmin((high - low) * spacing))
    sides = [(high - low)[n] * spacing[n] for n in range(3) if n != across]
    half = max(0.5, sum(sides) / 4 / spacing[across])
    middle = (low + high)[across] / 2
    low[across], high[across] = middle - half, middle + half
    size = geometry.shape_kji[::-1]
    start = [max(0, math.floor(value + 0.5)) for value in low]
    stop = [min(n, math.floor(value + 0.5) + 1) for value, n in zip(high, size, strict=True)]
    return Box.from_ijk(geometry, start, stop)


def _moved(matrix: Matrix, points: Sequence[tuple[float, float, float]]) -> NDArray[np.float64]:
    return np.asarray(np.array(points) @ matrix[:3, :3].T + matrix[:3, 3])
