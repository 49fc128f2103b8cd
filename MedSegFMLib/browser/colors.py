"""Colours as a page writes them."""

from __future__ import annotations

from collections.abc import Sequence


def as_hex(color: Sequence[float]) -> str:
    """Red, green and blue from 0 to 1 as #rrggbb."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)
