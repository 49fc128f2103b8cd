"""Prompt types in RAS millimetres, independent of any model and grid.

Each prompt validates itself on creation and raises PromptError for a value that is not finite or a
shape that encloses nothing. `voxels` checks whether it is within a volume.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import PromptError, numbers_text
from ..volumes.geometry import Geometry, Matrix
from .mask import Mask
from .positions import Position, checked_position, voxel_position

# Shorter edges enclose nothing that a scanner can resolve.
_SMALLEST_LENGTH_MM = 1e-6


@dataclass(frozen=True)
class Point:
    """A click.

    Attributes:
        position_ras: its position in millimetres.
        positive: whether the position belongs to the object (True) or to the background.
    """

    position_ras: Position
    positive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "position_ras", checked_position(self.position_ras, "point"))

    @classmethod
    def from_ijk(
        cls, geometry: Geometry, position_ijk: Sequence[float], positive: bool = True
    ) -> Point:
        """A click on the voxel (i, j, k) of `geometry`.

        Raises:
            PromptError: the voxel is outside the volume.
        """
        return cls(voxel_position(geometry, position_ijk, "point"), positive)

    def moved(self, position_ras: Sequence[float]) -> Point:
        """The same click at another position."""
        return replace(self, position_ras=checked_position(position_ras, "point"))


@dataclass(frozen=True)
class Box:
    """A box around the object, in any orientation.

    Attributes:
        center_ras: its centre in millimetres.
        edges_ras: its three full edge vectors in millimetres; they need not be parallel to any axis
            or perpendicular to each other, but must enclose a volume.
    """

    center_ras: Position
    edges_ras: tuple[Position, Position, Position]

    def __post_init__(self) -> None:
        object.__setattr__(self, "center_ras", checked_position(self.center_ras, "box centre"))
        edges = tuple(checked_position(edge, "box edge") for edge in self.edges_ras)
        lengths = [math.hypot(*edge) for edge in edges]
        if len(edges) != 3 or min(lengths) < _SMALLEST_LENGTH_MM:
            raise PromptError(
                f"The box has edges of {numbers_text(lengths)} mm; all three must be longer than 0."
            )
        if abs(np.linalg.det(np.array(edges) / np.array(lengths)[:, None])) < 1e-6:
            raise PromptError(f"The edges of the box {numbers_text(edges)} lie in one plane.")
        object.__setattr__(self, "edges_ras", edges)

    @classmethod
    def from_ijk(
        cls, geometry: Geometry, start_ijk: Sequence[float], stop_ijk: Sequence[float]
    ) -> Box:
        """The box of the voxels start <= (i, j, k) < stop of `geometry`, up to their outer faces.

        Raises:
            PromptError: a stop is not above its start, or the box extends outside the volume.
        """
        start = checked_position(start_ijk, "box start")
        stop = checked_position(stop_ijk, "box stop")
        size = geometry.shape_kji[::-1]
        bounds = f"from {numbers_text(start)} to {numbers_text(stop)} (i, j, k)"
        if not all(a < b for a, b in zip(start, stop, strict=True)):
            raise PromptError(
                f"The box {bounds} is inverted or empty; each stop must be greater than its start."
            )
        if not all(a >= 0 and b <= n for a, b, n in zip(start, stop, size, strict=True)):
            raise PromptError(
                f"The box {bounds} extends outside the volume, which has {numbers_text(size)} "
                "voxels counted from 0."
            )
        low, high = np.array(start) - 0.5, np.array(stop) - 0.5
        edges = geometry.ijk_to_ras[:3, :3] * (high - low)
        center = checked_position(geometry.ras_from_ijk((low + high) / 2), "box centre")
        return cls(center, _triples(edges.T))

    @classmethod
    def from_ras(cls, first_ras: Sequence[float], second_ras: Sequence[float]) -> Box:
        """The box along the R, A and S axes between two opposite corners in millimetres."""
        first = checked_position(first_ras, "box corner")
        second = checked_position(second_ras, "box corner")
        edges = np.diag(np.abs(np.subtract(second, first)))
        center = checked_position(np.add(first, second) / 2, "box centre")
        return cls(center, _triples(edges))

    def corners_ras(self) -> Matrix:
        """(8, 3) float64: the corners in RAS millimetres."""
        halves = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3, indexing="ij")).reshape(3, 8).T
        return np.asarray(np.array(self.center_ras) + halves @ np.array(self.edges_ras))

    def moved(self, center_ras: Sequence[float]) -> Box:
        """The same box around another centre."""
        return replace(self, center_ras=checked_position(center_ras, "box centre"))


@dataclass(frozen=True)
class Scribble:
    """A stroke.

    Attributes:
        positions_ras: the points of its polyline in millimetres, at least one.
        positive: whether it marks the object (True) or the background.
    """

    positions_ras: tuple[Position, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        positions = tuple(checked_position(p, "scribble point") for p in self.positions_ras)
        if not positions:
            raise PromptError("The scribble has no points; draw at least one.")
        object.__setattr__(self, "positions_ras", positions)

    @classmethod
    def from_ijk(
        cls,
        geometry: Geometry,
        positions_ijk: Iterable[Sequence[float]],
        positive: bool = True,
    ) -> Scribble:
        """A stroke through the voxels (i, j, k) of `geometry`, in their order.

        Raises:
            PromptError: a voxel is outside the volume, or there is none.
        """
        places = (voxel_position(geometry, p, "scribble point") for p in positions_ijk)
        return cls(tuple(places), positive)


@dataclass(frozen=True)
class Lasso:
    """A closed planar outline.

    Attributes:
        positions_ras: the points of the outline in millimetres, at least three.
        positive: whether the voxels that it encloses, within half a voxel of its plane, belong to
            the object (True) or to the background.
    """

    positions_ras: tuple[Position, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        positions = tuple(checked_position(p, "lasso point") for p in self.positions_ras)
        if len(positions) < 3:
            raise PromptError(f"The lasso has {len(positions)} points; draw at least three.")
        spread = np.linalg.svd(np.array(positions) - np.mean(positions, axis=0), compute_uv=False)
        if spread[1] < _SMALLEST_LENGTH_MM:
            raise PromptError("The points of the lasso lie on one line; draw around a region.")
        if spread[2] > 0.1 * spread[1]:
            raise PromptError("The points of the lasso are not in one plane; draw it in one view.")
        object.__setattr__(self, "positions_ras", positions)

    @classmethod
    def from_ijk(
        cls,
        geometry: Geometry,
        positions_ijk: Iterable[Sequence[float]],
        positive: bool = True,
    ) -> Lasso:
        """The outline through the voxels (i, j, k) of `geometry`, which the last point closes.

        Raises:
            PromptError: a voxel is outside the volume, or they are no planar outline.
        """
        places = (voxel_position(geometry, p, "lasso point") for p in positions_ijk)
        return cls(tuple(places), positive)


@dataclass(frozen=True)
class Line:
    """The longest diameter of the object on one slice, as radiologists measure it for RECIST.

    Response Evaluation Criteria in Solid Tumours 1.1 (Eisenhauer et al. 2009, European Journal of
    Cancer 45:228) measures a tumour by the longest line across it on an axial slice. The line may
    leave an object that is not convex, so its voxels are not marks.

    Attributes:
        positions_ras: its two ends in millimetres, which must differ.
    """

    positions_ras: tuple[Position, ...]

    def __post_init__(self) -> None:
        ends = tuple(checked_position(p, "end of the line") for p in self.positions_ras)
        if len(ends) != 2:
            raise PromptError(f"The line has {len(ends)} ends; give two.")
        if math.dist(ends[0], ends[1]) < _SMALLEST_LENGTH_MM:
            raise PromptError(
                f"Both ends of the line are at {numbers_text(ends[0])}; draw it across the object."
            )
        object.__setattr__(self, "positions_ras", ends)

    @classmethod
    def from_ijk(
        cls, geometry: Geometry, start_ijk: Sequence[float], stop_ijk: Sequence[float]
    ) -> Line:
        """The line between two voxels (i, j, k) of `geometry`, which may be fractions.

        Raises:
            PromptError: an end is outside the volume, or both are the same.
        """
        start, stop = (voxel_position(geometry, p, "line's end") for p in (start_ijk, stop_ijk))
        return cls((start, stop))

    @property
    def length_mm(self) -> float:
        """Its length."""
        return math.dist(self.positions_ras[0], self.positions_ras[1])

    @property
    def center_ras(self) -> Position:
        """Its middle in millimetres."""
        return checked_position(np.mean(self.positions_ras, axis=0), "line's middle")

    def moved(self, center_ras: Sequence[float]) -> Line:
        """The same line around another middle."""
        offset = np.subtract(checked_position(center_ras, "line's middle"), self.center_ras)
        ends = np.array(self.positions_ras) + offset
        return replace(self, positions_ras=tuple(map(tuple, ends.tolist())))


@dataclass(frozen=True)
class Text:
    """A phrase that names the object, for instance "left kidney"."""

    phrase: str

    def __post_init__(self) -> None:
        if not self.phrase.strip():
            raise PromptError("The text prompt is empty; name what to segment.")


Prompt = Point | Box | Scribble | Lasso | Line | Text | Mask

PROMPT_NAMES: dict[type[Prompt], str] = {
    Point: "point",
    Box: "box",
    Scribble: "scribble",
    Lasso: "lasso",
    Line: "line",
    Text: "text",
    Mask: "mask",
}


def prompt_name(prompt: Prompt) -> str:
    """The name of this type of prompt in model cards, files and messages."""
    return PROMPT_NAMES[type(prompt)]


def is_positive(prompt: Prompt) -> bool:
    """Whether the prompt shows its object rather than limits it, as boxes and lines always do."""
    return getattr(prompt, "positive", True)


def is_start(prompt: Prompt) -> bool:
    """Whether the prompt is a mask that the object starts from."""
    return isinstance(prompt, Mask) and prompt.role == "start"


def latest_start(prompts: Iterable[Prompt]) -> Mask | None:
    """The mask that an object with these prompts starts from; None if there is none."""
    found = None
    for prompt in prompts:
        if isinstance(prompt, Mask) and prompt.role == "start":
            found = prompt
    return found


def as_background(prompt: Prompt) -> Prompt | None:
    """The prompt as background for every other object; None if it does not apply to those."""
    if isinstance(prompt, Point | Scribble | Lasso) and prompt.positive:
        return replace(prompt, positive=False)
    if isinstance(prompt, Mask) and prompt.role == "keep" and prompt.count:
        return prompt.as_role("avoid")
    return None


def _triples(rows: Matrix) -> tuple[Position, Position, Position]:
    first, second, third = (checked_position(row, "box edge") for row in rows)
    return (first, second, third)
