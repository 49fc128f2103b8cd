"""Prompts from the command line, in the order in which they were given."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import PromptError
from ..prompts.edits import with_classes, with_prompt
from ..prompts.json_format import read_prompts
from ..prompts.mask import Mask
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Point, Prompt, Text, is_start, latest_start
from ..volumes.geometry import Geometry
from .mask_arguments import frozen_part, read_mask

# For each option: its values, its help text, and a function that creates the prompt.
_Maker = Callable[[Geometry, Sequence[Any]], Prompt]
_OPTIONS: dict[str, tuple[tuple[str, ...], str, _Maker]] = {
    "--box": (
        ("I0", "J0", "K0", "I1", "J1", "K1"),
        "a box by half-open voxel bounds; a second one starts another object",
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
        "a voxel of the background",
        lambda geometry, v: Point.from_ijk(geometry, v, positive=False),
    ),
    "--point-ras": (
        ("X", "Y", "Z"),
        "a position in RAS millimetres that belongs to the object",
        lambda geometry, v: Point(tuple(v)),
    ),
    "--negative-ras": (
        ("X", "Y", "Z"),
        "a position in RAS millimetres in the background",
        lambda geometry, v: Point(tuple(v), positive=False),
    ),
}

# Options that messages suggest if the model supports prompts of that name.
_ADVISED = ("text", "box", "point", "mask")


class _OrderedOption(argparse.Action):
    """Stores all prompt options in one list, to keep their order."""

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
        "Each prompt belongs to the last object started before it. --object starts a new object, "
        "as does a box or text if the current object already has one; prompts before the first "
        "--object belong to the first object. Objects are saved as labels 1, 2 and so on. A model "
        "with a fixed set of classes segments all of them if none is named with --text.",
    )
    group.set_defaults(typed=[])
    group.add_argument("--object", metavar="NAME", help="start an object", action=_OrderedOption)
    for option, (metavar, text, _) in _OPTIONS.items():
        group.add_argument(
            option,
            nargs=len(metavar),
            type=float,
            metavar=metavar,
            help=text,
            action=_OrderedOption,
        )
    group.add_argument(
        "--text", metavar="PHRASE", help="name of what to segment", action=_OrderedOption
    )
    group.add_argument(
        "--mask",
        metavar="FILE[:NAME|LABEL]",
        help="an existing segment that the object starts from, for later prompts to correct; a "
        "second one starts another object",
        action=_OrderedOption,
    )
    group.add_argument(
        "--freeze",
        nargs=6,
        type=int,
        metavar=("I0", "J0", "K0", "I1", "J1", "K1"),
        help="keep the --mask before it as it is within half-open voxel bounds",
        action=_OrderedOption,
    )
    group.add_argument(
        "--freeze-slices",
        nargs=2,
        type=int,
        metavar=("K0", "K1"),
        help="keep the --mask before it as it is on slices K0 to K1 - 1",
        action=_OrderedOption,
    )
    group.add_argument(
        "--avoid",
        metavar="FILE[:NAME|LABEL,...]",
        action="append",
        default=[],
        help="existing segments that no object of this run may overlap; can be repeated",
    )
    group.add_argument("--prompts", metavar="FILE.json", help="read prompts saved by --prompts-out")
    group.add_argument("--prompts-out", metavar="FILE.json", help="save the prompts of this run")


def are_given(arguments: argparse.Namespace) -> bool:
    """Whether a command line contains any prompt or object."""
    return bool(arguments.typed or arguments.prompts)


def class_prompts(
    classes: Sequence[str], arguments: argparse.Namespace, geometry: Geometry
) -> PromptList:
    """An object for each class of a model, named after the class, with what none may overlap."""
    return _avoiding(with_classes(PromptList(), classes), arguments, geometry)


def parse_prompts(
    arguments: argparse.Namespace, geometry: Geometry, taken: Sequence[str]
) -> PromptList:
    """The prompt list of a command line.

    Args:
        arguments: the parsed command line.
        geometry: the volume's grid.
        taken: the names of the prompts that the model supports, which messages suggest.

    Raises:
        PromptError: there are no prompts, an object has none, or a prompt is invalid.
    """
    options = [f"--{name}" for name in _ADVISED if name in taken]
    prompts = read_prompts(arguments.prompts) if arguments.prompts else PromptList()
    read_labels = prompts.labels
    for option, values in arguments.typed:
        if option == "--object":
            prompts = prompts.with_object(values)
            continue
        latest = max(prompts.labels, default=0)
        own = [prompt for label, prompt in prompts.entries if label == latest]
        prompt = _prompt(option, values, own, geometry)
        prompts, _ = with_prompt(prompts, prompt, latest, new_object_per_box=True)
    prompts = _avoiding(prompts, arguments, geometry)
    if not prompts.entries:
        raise PromptError(
            f"There are no prompts; give at least one {', '.join(options)} or --prompts FILE.json."
        )
    given = {label for label, prompt in prompts.entries if not _limits(prompt)}
    for label in set(prompts.labels) - given - set(read_labels):
        raise PromptError(
            f"The object '{prompts.name(label)}' has no prompts; give a {' or '.join(options)} "
            "after its --object."
        )
    return prompts


def _prompt(option: str, values: Any, own: Sequence[Prompt], geometry: Geometry) -> Prompt:
    """The prompt of an option, for an object that has these already."""
    if option == "--text":
        return Text(values)
    if option == "--mask":
        return read_mask(values, geometry)
    if option == "--freeze":
        start, stop = values[:3], values[3:]
        return frozen_part(latest_start(own), start, stop, geometry, option)
    if option == "--freeze-slices":
        i, j, _ = geometry.shape_kji[::-1]
        start, stop = (0, 0, values[0]), (i, j, values[1])
        return frozen_part(latest_start(own), start, stop, geometry, option)
    return _OPTIONS[option][2](geometry, values)


def _limits(prompt: Prompt) -> bool:
    """Whether a prompt only limits an object: voxels to avoid or to keep."""
    return isinstance(prompt, Mask) and not is_start(prompt)


def _avoiding(prompts: PromptList, arguments: argparse.Namespace, geometry: Geometry) -> PromptList:
    """The list with the masks of --avoid for each of its objects."""
    for text in arguments.avoid:
        mask = read_mask(text, geometry, role="avoid")
        for label in prompts.labels:
            prompts = prompts.added(label, mask)
    return prompts
