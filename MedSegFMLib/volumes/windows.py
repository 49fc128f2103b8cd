"""Windows: the range of values that is shown from black to white, by name or by level and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import VolumeError
from ..system.json_files import load_json
from ..system.suggestions import with_suggestion

AUTO = "auto"
# The window of CT for which no other is asked.
USUAL_CT = "abdomen"
_TABLE = Path(__file__).with_name("windows.json")


@dataclass(frozen=True)
class Window:
    """A range of values.

    Attributes:
        low: the value that is black, and below it.
        high: the value that is white, and above it; greater than `low`.
        name: its name in `windows.json`; "" if it has none.

    Raises:
        VolumeError: a value is not finite, or the range is empty.
    """

    low: float
    high: float
    name: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise VolumeError(
                f"A window of level {self.level:g} and width {self.width:g} shows nothing; the "
                "level must be finite and the width above 0."
            )

    @classmethod
    def of_level(cls, level: float, width: float, name: str = "") -> Window:
        """The window of `width` values around a level."""
        return cls(level - width / 2, level + width / 2, name)

    @property
    def level(self) -> float:
        """The value in the middle."""
        return (self.low + self.high) / 2

    @property
    def width(self) -> float:
        """The number of values from black to white."""
        return self.high - self.low

    @property
    def text(self) -> str:
        """Name, level and width: "lung: level −600, width 1500"."""
        numbers = f"level {_number(self.level)}, width {_number(self.width)}"
        return f"{self.name}: {numbers}" if self.name else numbers


def _number(value: float) -> str:
    """A number without decimals, if it is large enough."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−")


def window_names() -> tuple[str, ...]:
    """The names of the windows, and `AUTO`."""
    return (*_windows(), AUTO)


def named_window(name: str) -> Window:
    """The window of a name.

    Raises:
        VolumeError: there is none; the message lists the names.
    """
    try:
        return _windows()[name.casefold()]
    except KeyError:
        raise VolumeError(
            f"There is no window {with_suggestion(name, window_names())}; use "
            f"{', '.join(window_names())}, or LEVEL WIDTH as in 40 400."
        ) from None


def parse_window(words: str | Sequence[str]) -> Window | None:
    """The window of a name, or of level and width: "lung", ("40", "400") or "40,400".

    Returns:
        The window; None for `AUTO`.

    Raises:
        VolumeError: it is neither.
    """
    parts = words.replace(",", " ").split() if isinstance(words, str) else list(words)
    if len(parts) == 1:
        return None if parts[0].casefold() == AUTO else named_window(parts[0])
    try:
        level, width = (float(part) for part in parts)
    except ValueError:
        raise VolumeError(
            f"'{' '.join(parts)}' is no window; use {', '.join(window_names())}, or LEVEL WIDTH "
            "as in 40 400."
        ) from None
    return Window.of_level(level, width)


@cache
def _windows() -> dict[str, Window]:
    table = load_json(_TABLE, dict)["windows"]
    return {name: Window.of_level(w["level"], w["width"], name) for name, w in table.items()}
