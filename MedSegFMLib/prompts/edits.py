"""Edits of a prompt list: each returns a new list and leaves the original unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..volumes.geometry import Geometry, Matrix
from .mask import Mask
from .positions import Position, as_position
from .prompt_list import PromptList
from .types import Box, Line, Point, Prompt, Text, is_start


def replaced(prompts: PromptList, index: int, prompt: Prompt) -> PromptList:
    """The list with the prompt at `index` replaced."""
    label, _ = prompts.entries[index]
    entries = prompts.entries
    return replace(prompts, entries=(*entries[:index], (label, prompt), *entries[index + 1 :]))


def renamed(prompts: PromptList, label: int, name: str) -> PromptList:
    """The list with one object renamed."""
    prompts.name(label)
    objects = tuple((n, name if n == label else old) for n, old in prompts.objects)
    return replace(prompts, objects=objects)


def without_prompts(prompts: PromptList) -> PromptList:
    """The list with its objects but without prompts."""
    return replace(prompts, entries=())


def with_classes(prompts: PromptList, classes: Sequence[str]) -> PromptList:
    """The list with a new object, named after the class, for each class without a text prompt."""
    named = {p.phrase for _, p in prompts.entries if isinstance(p, Text)}
    for name in classes:
        if name not in named:
            prompts = prompts.with_object(name)
            prompts = prompts.added(prompts.labels[-1], Text(name))
    return prompts


def begins_object(
    prompts: PromptList, prompt: Prompt, label: int, new_object_per_box: bool = False
) -> bool:
    """Whether a prompt that names no object begins another one: the one rule for all interfaces.

    Args:
        prompts: the list that the prompt is for.
        prompt: the new prompt.
        label: the current object.
        new_object_per_box: whether each box or line stands for an object of its own, as repeated
            `--box` options do, and boxes in the panel if the user asks for it.

    Returns:
        True if the list has no object yet, if both the prompt and one of the current object are
        texts, and, with `new_object_per_box`, if both are boxes, lines or masks to start from.
    """
    if not prompts.objects:
        return True
    begun_by = (Text, Box, Line) if new_object_per_box else (Text,)
    own = prompts.own(label)
    if is_start(prompt):
        return new_object_per_box and any(map(is_start, own))
    return isinstance(prompt, begun_by) and any(type(given) is type(prompt) for given in own)


def with_prompt(
    prompts: PromptList,
    prompt: Prompt,
    label: int,
    new_object_per_box: bool = False,
    since: int = 0,
) -> tuple[PromptList, int]:
    """The list with one more prompt, and the label of the object that it went to.

    An object that is begun by a text is named after it. See `begins_object` for the arguments.

    Args:
        prompts: as for `begins_object`.
        prompt: as for `begins_object`.
        label: as for `begins_object`.
        new_object_per_box: as for `begins_object`.
        since: the number of prompts that there were when the user chose the object by its name;
            those do not count for whether another one begins.
    """
    recent = replace(prompts, entries=prompts.entries[since:])
    if begins_object(recent, prompt, label, new_object_per_box):
        prompts = prompts.with_object(prompt.phrase if isinstance(prompt, Text) else None)
        label = prompts.objects[-1][0]
    return prompts.added(label, prompt), label


def carrier(matrix: Matrix) -> Callable[[PromptList], PromptList]:
    """A function that moves the prompts of a list with the tissue that a matrix has moved.

    Args:
        matrix: (4, 4), in RAS millimetres.
    """
    moved: dict[Prompt, Prompt] = {}

    def carry(prompts: PromptList) -> PromptList:
        for _, prompt in prompts.entries:
            if prompt not in moved:
                moved[prompt] = _carried(prompt, matrix)
        return replace(prompts, entries=tuple((n, moved[prompt]) for n, prompt in prompts.entries))

    return carry


def _carried(prompt: Prompt, matrix: Matrix) -> Prompt:
    def place(position: Position) -> Position:
        return as_position(matrix[:3, :3] @ position + matrix[:3, 3])

    if isinstance(prompt, Text):
        return prompt
    if isinstance(prompt, Mask):
        geometry = prompt.geometry
        return prompt.on(Geometry(geometry.shape_kji, matrix @ geometry.ijk_to_ras))
    if isinstance(prompt, Point):
        return replace(prompt, position_ras=place(prompt.position_ras))
    if isinstance(prompt, Box):
        first, second, third = (np.array(prompt.edges_ras) @ matrix[:3, :3].T).tolist()
        return Box(place(prompt.center_ras), (tuple(first), tuple(second), tuple(third)))
    return replace(prompt, positions_ras=tuple(map(place, prompt.positions_ras)))
