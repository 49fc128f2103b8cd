"""Values of messages from a page: each is checked before anything uses it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from ..errors import PageError

Message = Mapping[str, Any]


def number(message: Message, name: str, low: float = -1e9, high: float = 1e9) -> float:
    """A number of a message.

    Raises:
        PageError: It is missing, no number, or out of its range.
    """
    value = message.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Not a number is in no range; a whole number may be too large for a float.
    if not is_number or not low <= value <= high:  # type: ignore[operator]
        raise _fault(name, value, f"it is a number from {low:g} to {high:g}")
    return float(value)  # type: ignore[arg-type]


def whole(message: Message, name: str, low: int = 0, high: int = 1_000_000_000) -> int:
    """A whole number of a message.

    Raises:
        PageError: It is missing, no whole number, or out of its range.
    """
    value = number(message, name, low, high)
    if value != int(value):
        raise _fault(name, value, "it is a whole number")
    return int(value)


def text(message: Message, name: str, longest: int = 200) -> str:
    """A text of a message.

    Raises:
        PageError: It is missing, no text, too long, or has characters that no file and no process
            takes: halves of such, and control characters other than white space.
    """
    value = message.get(name)
    if not isinstance(value, str) or len(value) > longest:
        raise _fault(name, value, f"it is a text of at most {longest} characters")
    if any(unicodedata.category(c) in ("Cs", "Cc") and not c.isspace() for c in value):
        raise _fault(name, value, "it is a text without control characters")
    return value


def choice(message: Message, name: str, choices: tuple[str, ...]) -> str:
    """One of several texts.

    Raises:
        PageError: It is none of them.
    """
    value = message.get(name)
    if value not in choices:
        raise _fault(name, value, f"it is one of {', '.join(choices)}")
    return str(value)


def flag(message: Message, name: str) -> bool:
    """True or False.

    Raises:
        PageError: It is neither.
    """
    value = message.get(name)
    if not isinstance(value, bool):
        raise _fault(name, value, "it is true or false")
    return value


def places(message: Message, name: str, most: int = 5000) -> list[tuple[float, float]]:
    """Pixels (x, y) of a view, at least one.

    Raises:
        PageError: They are no list of pairs of numbers, or too many.
    """
    value = message.get(name)
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise _fault(name, value, f"it is a list of 1 to {most} places")
    found = []
    for item in value:
        if not isinstance(item, list) or len(item) != 2:
            raise _fault(name, item, "each place has x and y")
        pair = {"x": item[0], "y": item[1]}
        found.append((number(pair, "x", -1e5, 1e5), number(pair, "y", -1e5, 1e5)))
    return found


def _fault(name: str, value: object, rule: str) -> PageError:
    return PageError(f"The page sent {name} = {str(value)[:60]!a}; {rule}. Reload the page.")
