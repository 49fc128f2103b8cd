"""`medsegfm completion`: completion of commands, options and names by the Tab key.

argcomplete asks the parser itself, so that nothing here repeats the options.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec

from ..errors import OutputError
from ..system.device import DEVICE_NAMES
from ..system.installing import extra_command
from .line import COMMANDS, parser_of

SUMMARY = "print the script that completes commands, options and names by Tab in your shell"
EXAMPLES = """\
examples (for every new terminal, add the line to ~/.bashrc or ~/.zshrc):
  eval "$(medsegfm completion bash)"
  eval "$(medsegfm completion zsh)"
  medsegfm completion fish > ~/.config/fish/completions/medsegfm.fish"""
SHELLS = ("bash", "zsh", "fish", "powershell")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="shell of the script")


def run(arguments: argparse.Namespace) -> None:
    """Print the script.

    Raises:
        OutputError: the package that completes is not installed.
    """
    if find_spec("argcomplete") is None:
        raise OutputError(
            f"Completion needs argcomplete, which is not installed; run: "
            f"{extra_command('completion')}."
        )
    import argcomplete

    print(argcomplete.shellcode(["medsegfm"], shell=arguments.shell))


def answer() -> None:
    """Print the words that can follow what is typed, for the shell, and end the process."""
    if find_spec("argcomplete") is None:
        os._exit(1)
    import argcomplete

    words = os.environ.get("COMP_LINE", "").split()[1:]
    parser = parser_of(words if words[:1] and words[0] in COMMANDS else [])
    _add_names(parser)
    argcomplete.autocomplete(parser)


def _add_names(parser: argparse.ArgumentParser) -> None:
    """Give the arguments that take a known name their completion."""
    for action in _actions(parser):
        names = _NAMES.get(action.dest)
        if names is not None and action.choices is None:
            # The attribute that argcomplete reads.
            action.completer = _completer(names)  # type: ignore[attr-defined]


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of a parser and of the parsers of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _completer(names: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    def complete(prefix: str, **_: object) -> list[str]:
        # Lists with commas are completed at their end.
        before, comma, _last = prefix.rpartition(",")
        return [f"{before}{comma}{name}" for name in names()]

    return complete


def _models() -> Iterable[str]:
    from ..registry import MODELS

    return MODELS


def _recipes() -> Iterable[str]:
    from ..train.registry import RECIPES

    return RECIPES


def _protocols() -> Iterable[str]:
    from ..evaluate.protocols import shipped_protocols

    return shipped_protocols()


def _windows() -> Iterable[str]:
    from ..volumes.windows import window_names

    return window_names()


# The names that an argument takes, by its destination.
_NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "model": _models,
    "models": _models,
    "recipe": _recipes,
    "protocol": _protocols,
    "window": _windows,
    "device": lambda: DEVICE_NAMES,
}
