"""The commands of the shell: a table of words with their usage and what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import OutputError, PromptError
from ...prompts.words import WORDS
from ...system.suggestions import with_suggestion
from ..console import print_table
from . import files, listing, prompting
from .context import Context, Quit


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
            " ".join(entry.names) + (" …" if entry.repeats else ""),
            entry.help,
            prompting.drawn(word),
        )
        for word, entry in WORDS.items()
    },
    "text": Command("PHRASE", "the name of what to segment", prompting.text, "classes"),
    "mask": Command(
        "FILE[:NAME|LABEL]", "a segment that the object starts from", prompting.mask, "files"
    ),
    "place": Command("N", "the object is at place N of the question", prompting.place),
    "classes": Command(
        "", "segment every class of a model that has classes", prompting.all_classes
    ),
    "object": Command(
        "NAME", "continue the object of that name, or begin one", prompting.choose_object, "objects"
    ),
    "remove": Command("NAME", "remove an object with its prompts", prompting.remove, "objects"),
    "delete": Command("N …", "delete prompts by their numbers", prompting.delete),
    "move": Command("N I J K", "move a click, or the centre of a box, to a voxel", prompting.move),
    "undo": Command("", "take the last change back", prompting.undo),
    "redo": Command("", "do what was taken back again", prompting.redo),
    "objects": Command("", "print the objects", listing.print_objects),
    "prompts": Command("", "print the prompts with their numbers", listing.print_prompts),
    "view": Command(
        "[FILE.png] [I J K|NAME]",
        f"write a picture, through a voxel or an object ({files.DEFAULT_VIEW})",
        files.view,
        "objects",
    ),
    "save": Command("FILE", "write the segmentation, or the prompts (.json)", files.save, "files"),
    "load": Command("FILE.json", "read saved prompts instead of these", files.load, "files"),
    "help": Command("[COMMAND]", "print the commands", _help, "commands"),
    "quit": Command("", "end the shell", _quit),
    "exit": Command("", "end the shell", _quit),
}
