"""Prompts from the command line, in the order in which they were typed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import PromptError
from ..prompts.edits import with_classes, with_prompt
from ..prompts.json_format import read_prompts
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Point, Prompt, Text
from ..volumes.geometry import Geometry

# Of each option: what it takes, what it says, and how a prompt is made of it.
_Maker = Callable[[Geometry, Sequence[Any]], Prompt]
_OPTIONS: dict[str, tuple[tuple[str, ...], str, _Maker]] = {
    "--box": (
        ("I0", "J0", "K0", "I1", "J1", "K1"),
        "a box by half-open voxel bounds; a second one begins another object",
        lambda geometry, v: Box.from_ijk(geometry, v[:3], v[3:]),
    ),
    "--box-ras": (
        ("X0", "Y0", "Z0", "X1", "Y1", "Z1"),
        "a box by two opposite corners in RAS millimetres",
        lambda geometry, v: Box.from_ras(v[:3], v[3:]),
    ),
    "--point": (
        ("I", "J", "K"),
        "a voxel that belongs to the object",
        lambda geometry, v: Point.from_ijk(geometry, v),
    ),
    "--negative": (
        ("I", "J", "K"),
        "a voxel that does not",
        lambda geometry, v: Point.from_ijk(geometry, v, positive=False),
    ),
    "--point-ras": (
        ("X", "Y", "Z"),
        "a place in RAS millimetres that belongs to the object",
        lambda geometry, v: Point(tuple(v)),
    ),
    "--negative-ras": (
        ("X", "Y", "Z"),
        "a place that does not",
        lambda geometry, v: Point(tuple(v), positive=False),
    ),
}

# Options that messages advise, where the model takes prompts of that name.
_ADVISED = ("text", "box", "point")


class _Typed(argparse.Action):
    """Keeps all prompt options in one list, so that their order is known."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        namespace.typed = [*namespace.typed, (self.option_strings[0], values)]


def add_prompt_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the prompt options to `medsegfm segment`."""
    group = parser.add_argument_group(
        "prompts",
        "Boxes and marks belong to the object typed before them. --object begins another, as does "
        "a box, or a text, where the object has one already; whatever comes before that is the "
        "first object. Objects are saved as labels 1, 2 and so on. A model that knows classes "
        "segments them all where none is named by --text.",
    )
    group.set_defaults(typed=[])
    group.add_argument("--object", metavar="NAME", help="begin an object", action=_Typed)
    for option, (metavar, text, _) in _OPTIONS.items():
        group.add_argument(
            option, nargs=len(metavar), type=float, metavar=metavar, help=text, action=_Typed
        )
    group.add_argument("--text", metavar="PHRASE", help="what to segment, in words", action=_Typed)
    group.add_argument("--prompts", metavar="FILE.json", help="prompts saved by --prompts-out")
    group.add_argument("--prompts-out", metavar="FILE.json", help="save the prompts of this run")


def are_given(arguments: argparse.Namespace) -> bool:
    """Whether a command line holds any prompt or object."""
    return bool(arguments.typed or arguments.prompts)


def prompts_for(classes: Sequence[str]) -> PromptList:
    """An object for each class that a model knows, named after it."""
    return with_classes(PromptList(), classes)


def prompts_of(
    arguments: argparse.Namespace, geometry: Geometry, taken: Sequence[str]
) -> PromptList:
    """The prompt list of a command line; PromptError where there is none or one is refused.

    taken: the names of the prompts that the model takes, which messages advise.
    """
    options = [f"--{name}" for name in _ADVISED if name in taken]
    prompts = read_prompts(arguments.prompts) if arguments.prompts else PromptList()
    read = prompts.labels
    for option, values in arguments.typed:
        if option == "--object":
            prompts = prompts.with_object(values)
            continue
        prompt = Text(values) if option == "--text" else _OPTIONS[option][2](geometry, values)
        latest = max(prompts.labels, default=0)
        prompts, _ = with_prompt(prompts, prompt, latest, new_object_per_box=True)
    if not prompts.entries:
        raise PromptError(
            f"There are no prompts; give at least one {', '.join(options)} or --prompts FILE.json."
        )
    for label in set(prompts.labels) - {owner for owner, _ in prompts.entries} - set(read):
        raise PromptError(
            f"The object '{prompts.name(label)}' has no prompts; give a {' or '.join(options)} "
            "after its --object."
        )
    return prompts
