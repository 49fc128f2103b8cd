"""Changes of files, shared by the named attacks through foreign configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Change = Callable[[Any], None]
"""Changes the content of a good file."""

MANY = 10**6


def setting(*path: str | int) -> Callable[[Any], Change]:
    """Changes that set the entry at a path."""

    def to(value: Any) -> Change:
        def change(content: Any) -> None:
            for key in path[:-1]:
                content = content[key]
            content[path[-1]] = value

        return change

    return to
