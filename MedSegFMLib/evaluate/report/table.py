"""Tables of a report, and the format of differences and p-values in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...metrics.measures import NONE


@dataclass(frozen=True)
class Cell:
    """A number or text.

    Attributes:
        text: the number or text.
        interval: shown in brackets after it.
        best: whether it is the best of its column, shown in bold.
    """

    text: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: for file names and links.
        caption: shown above the table.
        header: the headings.
        rows: the cells of each row.
        text_columns: the number of leading columns that contain text.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text_columns: int = 1


def signed(value: float) -> str:
    """A difference with its sign; a dash for NaN."""
    return NONE if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def probability(p: float) -> str:
    """A p-value in the form that papers use; a dash for NaN."""
    if math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
