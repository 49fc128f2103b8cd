"""Prompts as users type them, a word and numbers: options of commands and words of the shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import PromptError
from ..volumes.geometry import Geometry
from .types import Box, Lasso, Line, Point, Prompt, Scribble

Numbers = Sequence[float]
_Drawn = type[Scribble] | type[Lasso]


@dataclass(frozen=True)
class PromptWord:
    """A word that is followed by numbers.

    Attributes:
        names: the names of the numbers; those of one point if any number of points may follow.
        help: what it marks.
        make: creates the prompt from the numbers.
        repeats: whether any number of points may follow.
    """

    names: tuple[str, ...]
    help: str
    make: Callable[[Geometry, Numbers], Prompt]
    repeats: bool = False


def prompt_of(word: str, numbers: Numbers, geometry: Geometry) -> Prompt:
    """The prompt that a word and its numbers stand for.

    Raises:
        PromptError: there are too few or too many numbers, or the prompt is not valid.
    """
    entry = WORDS[word]
    count = len(entry.names)
    is_whole = len(numbers) % count == 0 if entry.repeats else len(numbers) == count
    if not numbers or not is_whole:
        each = f"{count} for each point" if entry.repeats else str(count)
        raise PromptError(
            f"{word} has {len(numbers)} numbers; give {each}: {' '.join(entry.names)}."
        )
    return entry.make(geometry, numbers)


def _points(numbers: Numbers) -> list[tuple[float, float, float]]:
    return list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))


def _through_voxels(kind: _Drawn, positive: bool, geometry: Geometry, numbers: Numbers) -> Prompt:
    return kind.from_ijk(geometry, _points(numbers), positive)


def _through_positions(kind: _Drawn, positive: bool, _: Geometry, numbers: Numbers) -> Prompt:
    return kind(tuple(_points(numbers)), positive)


def _drawn(kind: _Drawn, shape: str) -> dict[str, PromptWord]:
    """The words for strokes or outlines."""
    name = kind.__name__.lower()
    words = {}
    for sign, positive, where in (
        ("", True, "in the object"),
        ("negative-", False, "in the background"),
    ):
        words[f"{sign}{name}"] = PromptWord(
            ("I", "J", "K"),
            f"{shape} {where} through any number of voxels (i, j, k)",
            partial(_through_voxels, kind, positive),
            repeats=True,
        )
        words[f"{sign}{name}-ras"] = PromptWord(
            ("X", "Y", "Z"),
            f"{shape} {where} through positions in RAS millimetres",
            partial(_through_positions, kind, positive),
            repeats=True,
        )
    return words


WORDS: Mapping[str, PromptWord] = {
    "box": PromptWord(
        ("I0", "J0", "K0", "I1", "J1", "K1"),
        "a box around the object by half-open bounds in voxels (i, j, k); a second one starts "
        "another object",
        lambda geometry, n: Box.from_ijk(geometry, n[:3], n[3:]),
    ),
    "box-ras": PromptWord(
        ("X0", "Y0", "Z0", "X1", "Y1", "Z1"),
        "a box by two opposite corners in RAS millimetres",
        lambda _, n: Box.from_ras(n[:3], n[3:]),
    ),
    "line": PromptWord(
        ("I0", "J0", "K0", "I1", "J1", "K1"),
        "the longest diameter of the object on one slice (RECIST) between two voxels (i, j, k); a "
        "second one starts another object",
        lambda geometry, n: Line.from_ijk(geometry, n[:3], n[3:]),
    ),
    "line-ras": PromptWord(
        ("X0", "Y0", "Z0", "X1", "Y1", "Z1"),
        "the longest diameter between two positions in RAS millimetres",
        lambda _, n: Line(((n[0], n[1], n[2]), (n[3], n[4], n[5]))),
    ),
    "point": PromptWord(
        ("I", "J", "K"),
        "a voxel (i, j, k) that belongs to the object",
        lambda geometry, n: Point.from_ijk(geometry, n),
    ),
    "negative": PromptWord(
        ("I", "J", "K"),
        "a voxel (i, j, k) of the background",
        lambda geometry, n: Point.from_ijk(geometry, n, positive=False),
    ),
    "point-ras": PromptWord(
        ("X", "Y", "Z"),
        "a position in RAS millimetres that belongs to the object",
        lambda _, n: Point((n[0], n[1], n[2])),
    ),
    "negative-ras": PromptWord(
        ("X", "Y", "Z"),
        "a position in RAS millimetres in the background",
        lambda _, n: Point((n[0], n[1], n[2]), positive=False),
    ),
    **_drawn(Scribble, "a stroke"),
    **_drawn(Lasso, "a closed outline in one plane"),
}
