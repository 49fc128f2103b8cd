"""The commands of the shell that add, change and undo prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import PromptError
from ...prompts.edits import with_classes
from ...prompts.prompt_list import PromptList
from ...prompts.references import edited, named_object, without_emptied
from ...prompts.types import Prompt, Text
from ...prompts.words import WORDS, prompt_of
from ..arguments.masks import read_mask, resampling_notes
from ..console import progress_bar
from ..segmenting.place_questions import click_at, print_questions
from .context import Context, as_one, numbers, print_total
from .listing import print_objects


def _add(context: Context, prompt: Prompt) -> None:
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        change = talk.add(prompt, progress)
    print(change.sentence)
    print_total(context)
    _ask(context)


def _ask(context: Context) -> None:
    """Print where objects may be that the model asks about."""
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        questions = talk.questions(progress)
    answers = "Type place N to decide, or negative I J K for one that is not it."
    print_questions(questions, talk.prompts, talk.volume.geometry, answers)


def place(context: Context, words: Sequence[str]) -> None:
    """Put the object at a numbered place of the question."""
    number = as_one(words, "place N")
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        questions = talk.questions(progress)
    if not talk.prompts.objects:
        raise PromptError("There is no object yet; name one with text PHRASE first.")
    _add(context, click_at(number, talk.label, talk.prompts, questions))


def _whole(word: str) -> int:
    if not word.isdecimal():
        raise PromptError(f"'{word}' is no number of a prompt; type prompts for their numbers.")
    return int(word)


def drawn(word: str) -> Callable[[Context, Sequence[str]], None]:
    """The command that adds a prompt of numbers, such as a box."""

    def run(context: Context, words: Sequence[str]) -> None:
        usage = f"{word} {' '.join(WORDS[word].names)}"
        geometry = context.conversation.volume.geometry
        _add(context, prompt_of(word, numbers(words, usage), geometry))

    return run


def text(context: Context, words: Sequence[str]) -> None:
    """Add the name of what to segment."""
    _add(context, Text(as_one(words, "text PHRASE")))


def mask(context: Context, words: Sequence[str]) -> None:
    """Add a segment of a file to start from."""
    geometry = context.volume.geometry
    start = read_mask(as_one(words, "mask FILE[:NAME|LABEL]"), geometry)
    _add(context, start)
    for line in resampling_notes([start], geometry):
        print(line)


def all_classes(context: Context, _: Sequence[str]) -> None:
    """Segment every class of the model."""
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        talk.load(progress)
        if not talk.classes:
            raise PromptError(f"{talk.card.title} has no classes; give it prompts.")
        talk.change(with_classes(talk.prompts, talk.classes), progress)
    print_objects(context, ())


def choose_object(context: Context, words: Sequence[str]) -> None:
    """Continue the object of a name, or begin one."""
    begun = context.conversation.choose(as_one(words, "object NAME"))
    talk = context.conversation
    state = "a new object" if begun else "which is continued"
    print(f"The prompts that follow are for {talk.prompts.name(talk.label)}, {state}.")


def _change(context: Context, prompts: PromptList) -> None:
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        talk.change(without_emptied(prompts, talk.prompts), progress)
    print_total(context)


def delete(context: Context, words: Sequence[str]) -> None:
    """Delete prompts by their numbers."""
    numbers = [_whole(word) for word in as_one(words, "delete N").split()]
    talk = context.conversation
    _change(context, edited(talk.prompts, talk.volume.geometry, deletions=numbers))


def move(context: Context, words: Sequence[str]) -> None:
    """Move a prompt to a voxel."""
    if len(words) < 2:
        raise PromptError("Something is missing; write move N I J K.")
    talk = context.conversation
    move = (_whole(words[0]), numbers(words[1:], "move N I J K"))
    _change(context, edited(talk.prompts, talk.volume.geometry, moves=[move]))


def remove(context: Context, words: Sequence[str]) -> None:
    """Remove an object with its prompts."""
    prompts = context.conversation.prompts
    label = named_object(prompts, as_one(words, "remove NAME"))
    _change(context, prompts.without_object(label))


def undo(context: Context, _: Sequence[str]) -> None:
    """Take the last change back."""
    if not context.conversation.undo():
        raise PromptError("There is nothing to undo.")
    print_total(context)


def redo(context: Context, _: Sequence[str]) -> None:
    """Do what was taken back again."""
    if not context.conversation.redo():
        raise PromptError("There is nothing to redo.")
    print_total(context)
