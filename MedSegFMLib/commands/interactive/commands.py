"""The commands of the shell: a table of words with their usage and what they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import OutputError, PromptError
from ...prompts.edits import with_classes
from ...prompts.json_format import read_prompts, write_prompts
from ...prompts.prompt_list import PromptList
from ...prompts.references import edited, named_object, prompt_text, without_emptied
from ...prompts.types import Point, Prompt, Text
from ...prompts.words import WORDS, prompt_of
from ...system.suggestions import with_suggestion
from ...volumes.volume import Volume
from ..arguments.masks import read_mask, resampling_notes
from ..arguments.outputs import check_outputs
from ..arguments.picture import title_of
from ..console import print_table, progress_bar
from ..result_output import Output
from ..segmenting.place_questions import click_at, print_questions

if TYPE_CHECKING:
    from .conversation import Conversation

DEFAULT_VIEW = "view.png"


class Quit(Exception):
    """The user ends the shell."""


@dataclass
class Context:
    """The things that the commands work on.

    Attributes:
        conversation: prompts and answers.
        volume: the volume as it was read.
        arguments: the command line of the shell.
        options: the model's options.
        quits: how many times `quit` was typed in a row.
        asks: whether `quit` asks if something is not saved.
    """

    conversation: Conversation
    volume: Volume
    arguments: argparse.Namespace
    options: Mapping[str, str]
    asks: bool = False
    quits: int = 0


@dataclass(frozen=True)
class Command:
    """A word of the shell.

    Attributes:
        usage: the words after it.
        help: what it does.
        run: does it, with the words after it.
        completes: what its words are: "objects", "files", "classes" or nothing.
    """

    usage: str
    help: str
    run: Callable[[Context, Sequence[str]], None]
    completes: str = ""


def run_words(context: Context, words: Sequence[str]) -> None:
    """Run a line of the shell that was divided into words.

    Raises:
        PromptError: there is no such command, or its words are wrong.
        MedSegFMError: as the command raises.
        Quit: the shell ends.
    """
    name = words[0].lower()
    context.quits = context.quits + 1 if name in ("quit", "exit") else 0
    if name not in COMMANDS:
        raise PromptError(
            f"There is no command {with_suggestion(words[0], COMMANDS)}; type help for all of them."
        )
    COMMANDS[name].run(context, words[1:])


def _numbers(words: Sequence[str], usage: str) -> list[float]:
    """Numbers, which commas may divide too."""
    parts = [part for word in words for part in word.split(",") if part]
    try:
        return [float(part) for part in parts]
    except ValueError:
        bad = next(part for part in parts if not part.replace(".", "").lstrip("-").isdigit())
        raise PromptError(f"'{bad}' is no number; write {usage}.") from None


def _whole(word: str) -> int:
    if not word.isdecimal():
        raise PromptError(f"'{word}' is no number of a prompt; type prompts for their numbers.")
    return int(word)


def _one(words: Sequence[str], usage: str) -> str:
    """The words as one, which must not be empty."""
    text = " ".join(words).strip()
    if not text:
        raise PromptError(f"Something is missing; write {usage}.")
    return text


def _add(context: Context, prompt: Prompt) -> None:
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        change = talk.add(prompt, progress)
    print(change.sentence)
    _print_total(context)
    _ask(context)


def _ask(context: Context) -> None:
    """Print where objects may be that the model asks about."""
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        questions = talk.questions(progress)
    answers = "Type place N to decide, or negative I J K for one that is not it."
    print_questions(questions, talk.prompts, talk.volume.geometry, answers)


def _place(context: Context, words: Sequence[str]) -> None:
    number = _one(words, "place N")
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        questions = talk.questions(progress)
    if not talk.prompts.objects:
        raise PromptError("There is no object yet; name one with text PHRASE first.")
    _add(context, click_at(number, talk.label, talk.prompts, questions))


def _prompting(word: str) -> Callable[[Context, Sequence[str]], None]:
    def run(context: Context, words: Sequence[str]) -> None:
        usage = f"{word} {' '.join(WORDS[word].names)}"
        geometry = context.conversation.volume.geometry
        _add(context, prompt_of(word, _numbers(words, usage), geometry))

    return run


def _text(context: Context, words: Sequence[str]) -> None:
    _add(context, Text(_one(words, "text PHRASE")))


def _mask(context: Context, words: Sequence[str]) -> None:
    geometry = context.volume.geometry
    mask = read_mask(_one(words, "mask FILE[:NAME|LABEL]"), geometry)
    _add(context, mask)
    for line in resampling_notes([mask], geometry):
        print(line)


def _all_classes(context: Context, _: Sequence[str]) -> None:
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        talk.load(progress)
        if not talk.classes:
            raise PromptError(f"{talk.card.title} has no classes; give it prompts.")
        talk.change(with_classes(talk.prompts, talk.classes), progress)
    _objects(context, ())


def _object(context: Context, words: Sequence[str]) -> None:
    begun = context.conversation.choose(_one(words, "object NAME"))
    talk = context.conversation
    state = "a new object" if begun else "which is continued"
    print(f"The prompts that follow are for {talk.prompts.name(talk.label)}, {state}.")


def _change(context: Context, prompts: PromptList) -> None:
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        talk.change(without_emptied(prompts, talk.prompts), progress)
    _print_total(context)


def _delete(context: Context, words: Sequence[str]) -> None:
    numbers = [_whole(word) for word in _one(words, "delete N").split()]
    talk = context.conversation
    _change(context, edited(talk.prompts, talk.volume.geometry, deletions=numbers))


def _move(context: Context, words: Sequence[str]) -> None:
    if len(words) < 2:
        raise PromptError("Something is missing; write move N I J K.")
    talk = context.conversation
    move = (_whole(words[0]), _numbers(words[1:], "move N I J K"))
    _change(context, edited(talk.prompts, talk.volume.geometry, moves=[move]))


def _remove(context: Context, words: Sequence[str]) -> None:
    prompts = context.conversation.prompts
    label = named_object(prompts, _one(words, "remove NAME"))
    _change(context, prompts.without_object(label))


def _undo(context: Context, _: Sequence[str]) -> None:
    if not context.conversation.undo():
        raise PromptError("There is nothing to undo.")
    _print_total(context)


def _redo(context: Context, _: Sequence[str]) -> None:
    if not context.conversation.redo():
        raise PromptError("There is nothing to redo.")
    _print_total(context)


def _prompts(context: Context, _: Sequence[str]) -> None:
    talk = context.conversation
    rows = [
        [str(number), talk.prompts.name(label), prompt_text(prompt, talk.volume.geometry)]
        for number, (label, prompt) in enumerate(talk.prompts.entries, 1)
    ]
    print_table(["prompt", "object", "as typed (i, j, k)"], rows)


def _objects(context: Context, _: Sequence[str]) -> None:
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        found = {s.label: s.voxels for s in talk.segmentation(progress).segments}
    ml = talk.volume.geometry.voxel_volume_mm3 / 1000
    rows = []
    for label, name in talk.prompts.objects:
        shown = f"{name} (current)" if label == talk.label else name
        voxels = found.get(label, 0)
        rows.append([str(label), shown, str(voxels), f"{voxels * ml:.2f}"])
    print_table(["label", "object", "voxels", "ml"], rows)


def _print_total(context: Context) -> None:
    """Print what the current objects are."""
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        segments = talk.segmentation(progress).segments
    ml = talk.volume.geometry.voxel_volume_mm3 / 1000
    parts = [f"{s.name} {s.voxels} voxels, {s.voxels * ml:.2f} ml" for s in segments]
    print("; ".join(parts) + "." if parts else "There are no prompts.")


def _view(context: Context, words: Sequence[str]) -> None:
    """Write a picture; its words are a file, three numbers, an object, or several of these."""
    from .view import write_view

    talk = context.conversation
    names = [word for word in words if _is_picture(word)]
    others = [word for word in words if not _is_picture(word)]
    path = Path(names[0] if names else DEFAULT_VIEW)
    check_outputs([path], Path(context.arguments.volume))
    with progress_bar(talk.card.name) as progress:
        segmentation = talk.segmentation(progress)
    at_ijk: Sequence[float] | None = None
    shown = segmentation
    if len(others) == 3 and all(map(_is_number, others)):
        at_ijk = _numbers(others, "view [FILE.png] [I J K]")
        Point.from_ijk(talk.volume.geometry, at_ijk)
    elif others:
        label = named_object(talk.prompts, " ".join(others))
        first = sorted(segmentation.segments, key=lambda s: s.label != label)
        shown = type(segmentation)(segmentation.geometry, tuple(first))
    title = f"{title_of(Path(context.arguments.volume), talk.volume)}, {talk.card.name}"
    write_view(talk.volume, shown, talk.prompts, title, path, at_ijk)
    print(f"Wrote {path}.")


def _is_picture(word: str) -> bool:
    return word.lower().endswith((".png", ".jpg"))


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).lstrip("-").isdigit()


def _save(context: Context, words: Sequence[str]) -> None:
    path = Path(_one(words, "save FILE"))
    talk, source = context.conversation, Path(context.arguments.volume)
    if not talk.prompts.entries:
        raise OutputError("There is nothing to save; give a prompt first.")
    if path.suffix.lower() == ".json":
        check_outputs([path], source)
        write_prompts(talk.prompts, path)
    else:
        result = Output(path)
        check_outputs(result.files, source)
        result.check()
        result.check_source(context.arguments)
        with progress_bar(talk.card.name) as progress:
            segmentation = talk.segmentation(progress)
        result.write(
            segmentation,
            talk.taken,
            talk.card.name,
            talk.prompts,
            context.arguments,
            context.options,
            automatic=False,
            overlapping=False,
            asked_with=() if talk.card.takes_words else None,
        )
    talk.note_saved()
    print(f"Wrote {path}.")


def _load(context: Context, words: Sequence[str]) -> None:
    prompts = read_prompts(_one(words, "load FILE.json"))
    talk = context.conversation
    for _, prompt in prompts.entries:
        talk.check(prompt)
    with progress_bar(talk.card.name) as progress:
        talk.change(prompts, progress)
    _objects(context, ())


def _help(_: Context, words: Sequence[str]) -> None:
    names = [word for word in words if word in COMMANDS] or list(COMMANDS)
    rows = [[f"{name} {COMMANDS[name].usage}".strip(), COMMANDS[name].help] for name in names]
    print_table(["command", "meaning"], rows)
    if not words:
        print("Voxels are (i, j, k), counted from 0; the stops of a box are not part of it.")


def _quit(context: Context, _: Sequence[str]) -> None:
    if context.asks and not context.conversation.is_saved and context.quits < 2:
        raise OutputError("The prompts are not saved; save FILE first, or quit again.")
    raise Quit


COMMANDS: Mapping[str, Command] = {
    **{
        word: Command(
            " ".join(entry.names) + (" …" if entry.repeats else ""), entry.help, _prompting(word)
        )
        for word, entry in WORDS.items()
    },
    "text": Command("PHRASE", "the name of what to segment", _text, "classes"),
    "mask": Command("FILE[:NAME|LABEL]", "a segment that the object starts from", _mask, "files"),
    "place": Command("N", "the object is at place N of the question", _place),
    "classes": Command("", "segment every class of a model that has classes", _all_classes),
    "object": Command("NAME", "continue the object of that name, or begin one", _object, "objects"),
    "remove": Command("NAME", "remove an object with its prompts", _remove, "objects"),
    "delete": Command("N …", "delete prompts by their numbers", _delete),
    "move": Command("N I J K", "move a click, or the centre of a box, to a voxel", _move),
    "undo": Command("", "take the last change back", _undo),
    "redo": Command("", "do what was taken back again", _redo),
    "objects": Command("", "print the objects", _objects),
    "prompts": Command("", "print the prompts with their numbers", _prompts),
    "view": Command(
        "[FILE.png] [I J K|NAME]",
        f"write a picture, through a voxel or an object ({DEFAULT_VIEW})",
        _view,
        "objects",
    ),
    "save": Command("FILE", "write the segmentation, or the prompts (.json)", _save, "files"),
    "load": Command("FILE.json", "read saved prompts instead of these", _load, "files"),
    "help": Command("[COMMAND]", "print the commands", _help, "commands"),
    "quit": Command("", "end the shell", _quit),
    "exit": Command("", "end the shell", _quit),
}
