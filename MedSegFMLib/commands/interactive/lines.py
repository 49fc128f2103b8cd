"""Lines of the shell: from a terminal with history and completion, or from a pipe."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from ...errors import PromptError

PROMPT = "medsegfm> "
_MOST_LINES = 1000


def words_of(line: str) -> list[str]:
    """The words of a line; a text in quotes is one, and # begins a comment.

    Raises:
        PromptError: a quote is not closed.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    # Paths of Windows have backslashes.
    lexer.escape = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise PromptError(f"The line has a quote that is not closed: {line.strip()}.") from error


def piped_lines() -> Iterator[str]:
    """The lines of a pipe or file at the standard input."""
    yield from sys.stdin


def typed_lines(
    history: Path, complete: Callable[[Sequence[str], str], list[str]]
) -> Iterator[str]:
    """The lines that a user types; Ctrl-C discards a line, Ctrl-D ends them.

    Args:
        history: the file of earlier lines, which is written at the end.
        complete: completions of a word, for the words before it and its beginning.
    """
    readline = _readline()
    if readline is not None:
        _prepare(readline, history, complete)
    try:
        while True:
            try:
                yield input(PROMPT)
            except KeyboardInterrupt:
                print()
            except EOFError:
                print()
                return
    finally:
        if readline is not None:
            readline.set_completer(None)
            with contextlib.suppress(OSError):
                history.parent.mkdir(parents=True, exist_ok=True)
                readline.set_history_length(_MOST_LINES)
                readline.write_history_file(str(history))


def file_completions(beginning: str) -> list[str]:
    """The files and folders whose path begins so; folders end with a slash."""
    folder, _, name = beginning.rpartition("/")
    place = Path(f"{folder}/" if "/" in beginning else ".").expanduser()
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(place.iterdir()):
            if path.name.startswith(name) and (name or not path.name.startswith(".")):
                stem = f"{folder}/{path.name}" if "/" in beginning else path.name
                found.append(f"{stem}/" if path.is_dir() else stem)
    return found


def _readline() -> ModuleType | None:
    """The module for editing lines; None on Windows, whose console edits them itself."""
    with contextlib.suppress(ImportError):
        import readline

        return readline
    return None


def _prepare(
    readline: ModuleType, history: Path, complete: Callable[[Sequence[str], str], list[str]]
) -> None:
    with contextlib.suppress(OSError):
        readline.read_history_file(str(history))
    readline.set_completer_delims(" \t\n")

    def completer(beginning: str, number: int) -> str | None:
        before = readline.get_line_buffer()[: readline.get_begidx()].split()
        found = complete(before, beginning)
        return found[number] if number < len(found) else None

    readline.set_completer(completer)
    # The library on macOS is another one.
    is_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
