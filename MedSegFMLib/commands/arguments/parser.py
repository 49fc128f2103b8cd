"""The parser of commands: examples first in its help, defaults shown, mistakes named.

- Several numbers may be written with commas: `--box 1,2,3,4,5,6`.
- An unknown option, command or choice is answered with the known one that is most like it.
- An empty value, as of a variable of the shell that is not set, is refused: as a path it would be
  the current folder.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from ...system.suggestions import nearest_name

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
# "1,2,3", and "1," of "1, 2, 3".
_NUMBERS = re.compile(rf"{_NUMBER}(?:\s*,\s*{_NUMBER})*\s*,?|,")
_OPTION = re.compile(r"--[A-Za-z]")
# Defaults that say nothing to a reader.
_SILENT = (None, False, 0, "", argparse.SUPPRESS)


class HelpFormatter(argparse.HelpFormatter):
    """Help that keeps lines, and has the default of each option that does not explain it itself."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled = []
        for line in text.splitlines():
            own = line[: len(line) - len(line.lstrip())]
            filled.append(super()._fill_text(line, width, indent + own))
        return "\n".join(filled)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        is_shown = action.option_strings and "default:" not in text
        default = action.default
        if not is_shown or isinstance(default, list) or default in _SILENT:
            return text
        return f"{text} (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """The parser of a command.

    Attributes:
        examples: command lines that the help begins with, and a note on them; "" for none.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("formatter_class", HelpFormatter)
        super().__init__(*args, **options)
        self.examples = ""
        # By default argparse parses -1e-5 as an option.
        self._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

    def format_help(self) -> str:
        """The help text, beginning with the examples."""
        text = super().format_help()
        return f"{self.examples}\n\n{text}" if self.examples else text

    def error(self, message: str) -> NoReturn:
        """Print one sentence that refers to --help, and exit with status 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help.\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words as argparse does, after unknown options were refused by name."""
        words = list(args or ())
        # A parser with commands leaves their options to their own parsers.
        if self._subparsers is None:
            self._check_options(words)
            words = self._with_separate_numbers(words)
        return super().parse_known_args(words, namespace)

    def _check_options(self, words: Sequence[str]) -> None:
        known = [name for name in self._option_string_actions if name.startswith("--")]
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            if _OPTION.match(name) and not any(option.startswith(name) for option in known):
                meant = nearest_name(name, known)
                advice = f" (did you mean {meant}?)" if meant else ""
                self.error(f"unrecognized option {name}{advice}")

    def _with_separate_numbers(self, words: Sequence[str]) -> list[str]:
        """The words with "1,2,3" as three words after options that take several numbers."""
        separate: list[str] = []
        action: argparse.Action | None = None
        for word in words:
            option, equals, value = word.partition("=")
            found = self._option_string_actions.get(option)
            if found is not None and word.startswith("--"):
                action = found if _takes_several(found) else None
                if action is not None and equals and _NUMBERS.fullmatch(value):
                    separate.append(option)
                    word = value
            if action is not None and _NUMBERS.fullmatch(word):
                separate += [part for part in word.replace(",", " ").split() if part]
            else:
                separate.append(word)
        return separate

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # A command's own parser checks the values of the command.
        if action.nargs != argparse.PARSER and "" in arg_strings:
            raise argparse.ArgumentError(action, "the value is empty; give one")
        return super()._get_values(action, arg_strings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        meant = nearest_name(str(value), choices)
        advice = f" (did you mean {meant}?)" if meant else ""
        raise argparse.ArgumentError(
            action, f"invalid choice: '{value}'{advice}; choose from {', '.join(choices)}"
        )


def _takes_several(action: argparse.Action) -> bool:
    return action.nargs == "+" or (isinstance(action.nargs, int) and action.nargs > 1)
