"""Prompts from the command line, in the order in which they were given."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ...errors import PromptError
from ...prompts.edits import begins_object, with_classes, with_prompt
from ...prompts.json_format import read_prompts
from ...prompts.mask import Mask
from ...prompts.prompt_list import PromptList
from ...prompts.references import edited, find_object, without_emptied
from ...prompts.types import Prompt, Text, is_start, latest_start
from ...prompts.words import WORDS, prompt_of
from ...volumes.geometry import Geometry
from .masks import frozen_part, read_mask

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
        "as does a box, line or text if the current object already has one; prompts before the "
        "first --object belong to the first object. Prompts that are added to saved ones of "
        "several objects need an --object, unless they start one. Objects are saved as labels 1, 2 "
        "and so on. A model with a fixed set of classes segments all of them if none is named with "
        "--text.",
    )
    group.set_defaults(typed=[])
    group.add_argument(
        "--object",
        metavar="NAME",
        help="continue the object of that name, or start one",
        action=_OrderedOption,
    )
    for word, entry in WORDS.items():
        group.add_argument(
            f"--{word}",
            nargs="+" if entry.repeats else len(entry.names),
            type=float,
            metavar=(" ".join(entry.names),) * 2 if entry.repeats else entry.names,
            help=entry.help,
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
        help="keep the --mask before it as it is within half-open bounds in voxels (i, j, k)",
        action=_OrderedOption,
    )
    group.add_argument(
        "--freeze-slices",
        nargs=2,
        type=int,
        metavar=("K0", "K1"),
        help="keep the --mask before it as it is on slices K0 to K1 - 1, counted from 0",
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
    group.add_argument(
        "--no-changes",
        action="store_true",
        help="do not print what each prompt of this command changed, for which some models predict "
        "once more for each",
    )
    _add_edit_arguments(parser)


def _add_edit_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that change saved prompts."""
    group = parser.add_argument_group(
        "saved prompts",
        "Changes of the prompts of --prompts, before any are added. Prompts are numbered from 1 in "
        "the order of the file, as segment prints them; all numbers refer to the file as it is. "
        "An object whose prompts are all deleted goes with them.",
    )
    group.add_argument(
        "--delete", action="append", type=int, default=[], metavar="N", help="delete prompt N"
    )
    group.add_argument(
        "--move",
        nargs=4,
        action="append",
        type=float,
        default=[],
        metavar=("N", "I", "J", "K"),
        help="move prompt N, a click or the middle of a box or line, to a voxel (i, j, k)",
    )
    group.add_argument(
        "--undo", action="count", default=0, help="take the last prompt back; can be repeated"
    )


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
    saved = read_prompts(arguments.prompts) if arguments.prompts else PromptList()
    read_labels = saved.labels
    prompts = without_emptied(
        _with_typed(_edited(saved, arguments, geometry), arguments.typed, geometry), saved
    )
    prompts = _avoiding(prompts, arguments, geometry)
    if not prompts.entries:
        raise PromptError(
            f"There are no prompts; give at least one {', '.join(options)} or --prompts FILE.json."
        )
    given = {label for label, prompt in prompts.entries if not limits_object(prompt)}
    for label in set(prompts.labels) - given - set(read_labels):
        raise PromptError(
            f"The object '{prompts.name(label)}' has no prompts; give a {' or '.join(options)} "
            "after its --object."
        )
    return prompts


def _edited(saved: PromptList, arguments: argparse.Namespace, geometry: Geometry) -> PromptList:
    """The saved prompts with the changes of the command line."""
    moves = [(_number(n), position_ijk) for n, *position_ijk in arguments.move]
    if not arguments.prompts and (moves or arguments.delete or arguments.undo):
        raise PromptError(
            "--move, --delete and --undo change saved prompts; give them with --prompts FILE.json."
        )
    return edited(saved, geometry, moves, arguments.delete, arguments.undo)


def _number(value: float) -> int:
    if not value.is_integer():
        raise PromptError(f"--move {value:g} is no number of a prompt; give 1, 2 and so on first.")
    return int(value)


def _with_typed(
    prompts: PromptList, typed: Sequence[tuple[str, Any]], geometry: Geometry
) -> PromptList:
    """The list with the prompts of the command line, each for the object that it is typed after."""
    # With several saved objects, the user says which one is meant.
    is_chosen = len(prompts.objects) < 2
    label, since = max(prompts.labels, default=0), 0
    for option, values in typed:
        if option == "--object":
            found = find_object(prompts, values)
            if found is None:
                prompts = prompts.with_object(values)
            label, since = found or prompts.labels[-1], len(prompts.entries)
            is_chosen = True
            continue
        own = prompts.own(label)
        keeps = option.startswith("--freeze")
        prompt = None if keeps and not is_chosen else _prompt(option, values, own, geometry)
        starts = prompt is not None and begins_object(prompts, prompt, label, True)
        if prompt is None or not (is_chosen or starts):
            raise PromptError(
                f"{option} could be for any of the saved objects {prompts.objects_text}; write "
                "--object NAME before it."
            )
        prompts, given_to = with_prompt(
            prompts, prompt, label, new_object_per_box=True, since=since
        )
        since = since if given_to == label else 0
        label, is_chosen = given_to, True
    return prompts


def typed_prompts(arguments: argparse.Namespace, prompts: PromptList) -> range:
    """The indices of the prompts that a command line adds, in the list that it stands for."""
    typed = sum(option != "--object" for option, _ in arguments.typed)
    stop = len(prompts.entries) - len(arguments.avoid) * len(prompts.objects)
    return range(stop - typed, stop)


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
    return prompt_of(option.removeprefix("--"), values, geometry)


def limits_object(prompt: Prompt) -> bool:
    """Whether a prompt only limits an object: voxels to avoid or to keep."""
    return isinstance(prompt, Mask) and not is_start(prompt)


def _avoiding(prompts: PromptList, arguments: argparse.Namespace, geometry: Geometry) -> PromptList:
    """The list with the masks of --avoid for each of its objects."""
    for text in arguments.avoid:
        mask = read_mask(text, geometry, role="avoid")
        for label in prompts.labels:
            prompts = prompts.added(label, mask)
    return prompts
