"""Objects by name and prompts by number, as users type them, and how both are shown to them.

Prompts are numbered from 1 in the order in which they were given, in files as in tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import PromptError
from ..system.suggestions import with_suggestion
from ..volumes.geometry import Geometry
from .mask import Mask
from .prompt_list import PromptList
from .types import Box, Line, Point, Prompt, Text, prompt_name


def find_object(prompts: PromptList, text: str) -> int | None:
    """The label of the object that a user names, None if there is none.

    Names are compared without case if none is the same. A label names an object that has no such
    name.

    Raises:
        PromptError: several objects have the name.
    """
    wanted = text.strip()
    tests: tuple[Callable[[int, str], bool], ...] = (
        lambda _, name: name.strip() == wanted,
        lambda _, name: name.strip().casefold() == wanted.casefold(),
        lambda label, _: str(label) == wanted,
    )
    for test in tests:
        found = [label for label, name in prompts.objects if test(label, name)]
        if len(found) > 1:
            labels = ", ".join(map(str, found))
            raise PromptError(
                f"Several objects have the name '{wanted}'; give a label of {labels}."
            )
        if found:
            return found[0]
    return None


def named_object(prompts: PromptList, text: str) -> int:
    """The label of an object that a user names and that must be there.

    Raises:
        PromptError: there is none, or several have the name.
    """
    label = find_object(prompts, text)
    if label is None:
        wanted = with_suggestion(text, [name for _, name in prompts.objects])
        raise PromptError(
            f"There is no object {wanted}; the objects are {prompts.objects_text or 'none'}."
        )
    return label


def prompt_index(prompts: PromptList, number: int) -> int:
    """The index in the list of a prompt's number, which counts from 1.

    Raises:
        PromptError: there is no such prompt.
    """
    if not 1 <= number <= len(prompts.entries):
        count = len(prompts.entries)
        has = f"the prompts are numbered from 1 to {count}" if count else "there are none"
        raise PromptError(f"There is no prompt {number}; {has}.")
    return number - 1


def edited(
    prompts: PromptList,
    geometry: Geometry,
    moves: Iterable[tuple[int, Sequence[float]]] = (),
    deletions: Iterable[int] = (),
    undone: int = 0,
) -> PromptList:
    """A list with prompts moved, then deleted, then the last ones taken back.

    Args:
        prompts: the list, whose numbers all edits refer to.
        geometry: the volume's grid.
        moves: numbers of clicks, boxes and lines, and the voxel (i, j, k) that each goes to; a box
            or line with its middle.
        deletions: numbers of prompts.
        undone: how many of the remaining prompts, from the last, are taken back.

    Raises:
        PromptError: there is no such prompt, it cannot be moved, or the voxel is outside.
    """
    for number, position_ijk in moves:
        index = prompt_index(prompts, number)
        place = Point.from_ijk(geometry, position_ijk).position_ras
        prompts = prompts.moved(index, place)
    deleted = {prompt_index(prompts, number) for number in deletions}
    entries = [entry for n, entry in enumerate(prompts.entries) if n not in deleted]
    if undone > len(entries):
        raise PromptError(
            f"{undone} prompts cannot be taken back; there are {len(entries)}; take back fewer."
        )
    return PromptList(prompts.objects, tuple(entries[: len(entries) - undone]))


def without_emptied(prompts: PromptList, before: PromptList) -> PromptList:
    """The list without the objects that have no prompts any more but had some before."""
    had = {label for label, _ in before.entries}
    for label in had - {label for label, _ in prompts.entries}:
        if label in prompts.labels:
            prompts = prompts.without_object(label)
    return prompts


def prompt_text(prompt: Prompt, geometry: Geometry) -> str:
    """A prompt in voxels (i, j, k) of a grid, as it is typed: "point 10 20 30"."""
    if isinstance(prompt, Text):
        return f"text {prompt.phrase}"
    if isinstance(prompt, Mask):
        return f"mask to {prompt.role}" if prompt.role != "start" else "mask"
    if isinstance(prompt, Box):
        corners = geometry.ijk_from_ras(prompt.corners_ras())
        bounds = np.concatenate([corners.min(axis=0) + 0.5, corners.max(axis=0) + 0.5])
        return f"box {_numbers(bounds)}"
    if isinstance(prompt, Point):
        word = "point" if prompt.positive else "negative"
        return f"{word} {_numbers(geometry.ijk_from_ras(prompt.position_ras))}"
    if isinstance(prompt, Line):
        return f"line {_numbers(geometry.ijk_from_ras(prompt.positions_ras).ravel())}"
    word = prompt_name(prompt) if prompt.positive else f"negative-{prompt_name(prompt)}"
    first, count = geometry.ijk_from_ras(prompt.positions_ras[0]), len(prompt.positions_ras)
    return f"{word} {_numbers(first)}" + (f" and {count - 1} more" if count > 1 else "")


def _numbers(values: NDArray[np.float64]) -> str:
    # Adding 0 turns a negative zero into zero.
    return " ".join(f"{value:g}" for value in (values.round(1) + 0.0).tolist())
