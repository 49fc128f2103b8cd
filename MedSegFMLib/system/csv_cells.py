"""Text in cells of CSV files that a spreadsheet shows and does not calculate."""

from __future__ import annotations

from typing import TypeVar

Cell = TypeVar("Cell")

# The first characters of what spreadsheets take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escaped(cell: Cell) -> Cell | str:
    """A cell to write: text that begins like a formula gets an apostrophe before it.

    Numbers stay as they are; `unescaped` is the inverse.
    """
    if isinstance(cell, str) and cell.lstrip("'").startswith(_FORMULA):
        return f"'{cell}"
    return cell


def unescaped(text: str) -> str:
    """The text of a cell that was read."""
    if text.startswith("'") and text.lstrip("'").startswith(_FORMULA):
        return text[1:]
    return text
