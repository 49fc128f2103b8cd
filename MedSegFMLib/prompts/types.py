"""What the user asked for: prompts in RAS millimetres, so that any model and grid can take them.

Each prompt checks itself when it is made and raises PromptError for a value that is not finite or
a shape that encloses nothing. Whether it lies in a volume is checked by `voxels`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import PromptError, numbers_text
from ..volumes.geometry import Geometry, Matrix

Position = tuple[float, float, float]

# Edges shorter than this enclose nothing that a scanner can resolve.
_SMALLEST_LENGTH_MM = 1e-6


@dataclass(frozen=True)
class Point:
    """A click: `position_ras` in millimetres belongs to the object, or, not positive, does not."""

    position_ras: Position
    positive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "position_ras", _position(self.position_ras, "point"))

    @classmethod
    def from_ijk(
        cls, geometry: Geometry, position_ijk: Sequence[float], positive: bool = True
    ) -> Point:
        """A click on the voxel (i, j, k) of `geometry`; PromptError outside it."""
        indices = _position(position_ijk, "point")
        if not all(-0.5 <= v < n - 0.5 for v, n in zip(indices, _size_ijk(geometry), strict=True)):
            raise PromptError(
                f"The point {numbers_text(indices)} (i, j, k) is outside the volume, which has "
                f"{numbers_text(_size_ijk(geometry))} voxels counted from 0."
            )
        return cls(_position(geometry.ras_from_ijk(indices), "point"), positive)

    def moved(self, position_ras: Sequence[float]) -> Point:
        """The same click elsewhere."""
        return replace(self, position_ras=_position(position_ras, "point"))


@dataclass(frozen=True)
class Box:
    """A box around the object, oriented as it likes.

    center_ras: its centre in millimetres.
    edges_ras: its three full edge vectors in millimetres; they need not be along any axis, nor at
        right angles, but must enclose a volume.
    """

    center_ras: Position
    edges_ras: tuple[Position, Position, Position]

    def __post_init__(self) -> None:
        object.__setattr__(self, "center_ras", _position(self.center_ras, "box centre"))
        edges = tuple(_position(edge, "box edge") for edge in self.edges_ras)
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
        """The box of the voxels start <= (i, j, k) < stop of `geometry`, to their outer faces.

        Raises PromptError where a stop is not above its start or the box leaves the volume.
        """
        start, stop = _position(start_ijk, "box start"), _position(stop_ijk, "box stop")
        size = _size_ijk(geometry)
        shown = f"from {numbers_text(start)} to {numbers_text(stop)} (i, j, k)"
        if not all(a < b for a, b in zip(start, stop, strict=True)):
            raise PromptError(
                f"The box {shown} is inside out or empty; each stop must be greater than its start."
            )
        if not all(a >= 0 and b <= n for a, b, n in zip(start, stop, size, strict=True)):
            raise PromptError(
                f"The box {shown} leaves the volume, which has {numbers_text(size)} voxels counted "
                "from 0."
            )
        low, high = np.array(start) - 0.5, np.array(stop) - 0.5
        edges = geometry.ijk_to_ras[:3, :3] * (high - low)
        return cls(
            _position(geometry.ras_from_ijk((low + high) / 2), "box centre"), _triples(edges.T)
        )

    @classmethod
    def from_ras(cls, first_ras: Sequence[float], second_ras: Sequence[float]) -> Box:
        """The box along the R, A and S axes between two opposite corners in millimetres."""
        first, second = _position(first_ras, "box corner"), _position(second_ras, "box corner")
        edges = np.diag(np.abs(np.subtract(second, first)))
        return cls(_position(np.add(first, second) / 2, "box centre"), _triples(edges))

    def corners_ras(self) -> Matrix:
        """(8, 3) float64: the corners in RAS millimetres."""
        halves = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3, indexing="ij")).reshape(3, 8).T
        return np.asarray(np.array(self.center_ras) + halves @ np.array(self.edges_ras))

    def moved(self, center_ras: Sequence[float]) -> Box:
        """The same box around another centre."""
        return replace(self, center_ras=_position(center_ras, "box centre"))


@dataclass(frozen=True)
class Scribble:
    """A stroke: the polyline through `positions_ras` in millimetres, one point or more."""

    positions_ras: tuple[Position, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        positions = tuple(_position(p, "scribble point") for p in self.positions_ras)
        if not positions:
            raise PromptError("The scribble has no points; draw at least one.")
        object.__setattr__(self, "positions_ras", positions)


@dataclass(frozen=True)
class Lasso:
    """A closed flat outline through `positions_ras` in millimetres, at least three points.

    What it encloses, within half a voxel of its plane, belongs to the object, or does not.
    """

    positions_ras: tuple[Position, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        positions = tuple(_position(p, "lasso point") for p in self.positions_ras)
        if len(positions) < 3:
            raise PromptError(f"The lasso has {len(positions)} points; draw at least three.")
        spread = np.linalg.svd(np.array(positions) - np.mean(positions, axis=0), compute_uv=False)
        if spread[1] < _SMALLEST_LENGTH_MM:
            raise PromptError("The points of the lasso lie on one line; draw around something.")
        if spread[2] > 0.1 * spread[1]:
            raise PromptError("The points of the lasso are not in one plane; draw it in one view.")
        object.__setattr__(self, "positions_ras", positions)


@dataclass(frozen=True)
class Text:
    """What to segment in words, for instance "left kidney"."""

    phrase: str

    def __post_init__(self) -> None:
        if not self.phrase.strip():
            raise PromptError("The text prompt is empty; name what to segment.")


Prompt = Point | Box | Scribble | Lasso | Text

PROMPT_NAMES: dict[type[Prompt], str] = {
    Point: "point",
    Box: "box",
    Scribble: "scribble",
    Lasso: "lasso",
    Text: "text",
}


def prompt_name(prompt: Prompt) -> str:
    """The word that model cards, files and messages use for a prompt of this type."""
    return PROMPT_NAMES[type(prompt)]


def is_positive(prompt: Prompt) -> bool:
    """Whether the prompt says what belongs to its object; boxes and texts always do."""
    return getattr(prompt, "positive", True)


def as_background(prompt: Prompt) -> Prompt | None:
    """What a prompt for one object says about every other: its marks are background there."""
    if isinstance(prompt, Point | Scribble | Lasso) and prompt.positive:
        return replace(prompt, positive=False)
    return None


def _position(values: Iterable[float], what: str) -> Position:
    try:
        numbers = [float(v) for v in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError(f"The {what} is {values!r}; give three numbers.") from error
    if len(numbers) != 3:
        raise PromptError(f"The {what} has {len(numbers)} numbers; give three.")
    if not all(map(math.isfinite, numbers)):
        raise PromptError(f"The {what} is {numbers_text(numbers)}; its numbers must be finite.")
    x, y, z = numbers
    return (x, y, z)


def _triples(rows: Matrix) -> tuple[Position, Position, Position]:
    first, second, third = (_position(row, "box edge") for row in rows)
    return (first, second, third)


def _size_ijk(geometry: Geometry) -> tuple[int, int, int]:
    k, j, i = geometry.shape_kji
    return (i, j, k)
