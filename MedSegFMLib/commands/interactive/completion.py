"""Completion of commands, and of the names of objects, classes and files after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .commands import COMMANDS
from .context import Context
from .lines import file_completions


def completer(context: Context) -> Callable[[Sequence[str], str], list[str]]:
    """A function from the words before a word, and its beginning, to its completions."""

    def complete(before: Sequence[str], beginning: str) -> list[str]:
        if not before:
            return [f"{name} " for name in COMMANDS if name.startswith(beginning)]
        command = COMMANDS.get(before[0].lower())
        kind = command.completes if command else ""
        if kind == "files":
            return file_completions(beginning)
        # Names may have spaces: the words before are the first part of the name.
        first = "".join(f"{word} " for word in before[1:])
        typed = f"{first}{beginning}".casefold()
        names = _names(context, kind)
        return [name[len(first) :] for name in names if name.casefold().startswith(typed)]

    return complete


def _names(context: Context, kind: str) -> Sequence[str]:
    if kind == "objects":
        return [name for _, name in context.conversation.prompts.objects]
    if kind == "classes":
        return context.conversation.classes
    return list(COMMANDS) if kind == "commands" else []
