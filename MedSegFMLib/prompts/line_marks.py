"""A line as a box, or else a click, for models that take no lines: the one place that decides how.

The object is thought of as an ellipsoid with the line as an axis. `Testing/benchmarks/recist.py`
compares this with other ways.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ..volumes.geometry import Geometry
from .positions import as_position
from .types import Box, Line, Point, Prompt

# The other two diameters of the ellipsoid as a part of the line's length: the one across the line
# that is most nearly within the slice, and the one across slices.
_WIDTH, _DEPTH = 0.9, 1.25


def line_box(line: Line, geometry: Geometry) -> Box:
    """The box along the axes of a grid around the ellipsoid of a line; it may leave the volume.

    It is one voxel thick at least. The slices are those of the grid's last axis, unless the line
    runs along it; then they are those that the line is drawn on most nearly.
    """
    ends = np.array(line.positions_ras)
    along = (ends[1] - ends[0]) / line.length_mm
    directions = geometry.directions
    # The axis farthest from the line; of equal ones the last, k.
    slopes = np.abs(along @ directions).round(3)
    normal = directions[:, 2 - int(np.argmin(slopes[::-1]))]
    normal = normal - (normal @ along) * along
    normal /= np.linalg.norm(normal)
    across = np.cross(along, normal)
    axes = np.array([along, _WIDTH * across, _DEPTH * normal]) * line.length_mm / 2
    # The support function of the ellipsoid along each voxel index.
    voxels = axes @ np.linalg.inv(geometry.ijk_to_ras[:3, :3]).T
    halves = np.maximum(np.linalg.norm(voxels, axis=0), 0.5)
    edges = (geometry.ijk_to_ras[:3, :3] * 2 * halves).T
    first, second, third = (as_position(edge) for edge in edges)
    return Box(line.center_ras, (first, second, third))


def line_middle(line: Line) -> Point:
    """A click on the object in the middle of a line."""
    return Point(line.center_ras)


def without_lines(
    prompts: Sequence[Prompt], taken: Collection[str], geometry: Geometry
) -> tuple[Prompt, ...]:
    """The prompts of an object with what a model gets for each line.

    Args:
        prompts: the prompts in order.
        taken: the names of the prompts that the model takes. One that takes lines gets them as
            they are, one that takes boxes a box, and one that takes clicks alone a click.
        geometry: the volume's grid.
    """
    if "line" in taken or not any(isinstance(prompt, Line) for prompt in prompts):
        return tuple(prompts)
    given: list[Prompt] = []
    for prompt in prompts:
        if not isinstance(prompt, Line):
            given.append(prompt)
        elif "box" in taken:
            given.append(line_box(prompt, geometry))
        elif "point" in taken:
            given.append(line_middle(prompt))
    return tuple(given)
