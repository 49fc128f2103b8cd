"""What a table is, and how numbers stand in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

NONE = "–"


@dataclass(frozen=True)
class Cell:
    """A number or words. interval: what stands in brackets after it. best: of its kind."""

    text: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """name: for files and links. text_columns: how many of the first columns hold text."""

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text_columns: int = 1


def number(value: float, digits: int = 3) -> str:
    """A number as tables show it: a dash for what is unknown, ∞ for what has no end."""
    if math.isnan(value):
        return NONE
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"


def signed(value: float) -> str:
    """A difference, with its sign."""
    return NONE if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def probability(p: float) -> str:
    """A p-value as papers give it."""
    if math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
