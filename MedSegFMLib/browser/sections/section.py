"""A section of the page: data that the page shows, and actions that it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..fields import Message

Action = Callable[[Message], object]
State = dict[str, Any]


class Section(Protocol):
    """A part of the page; all its methods run on the main thread and never wait."""

    name: str

    def state(self) -> State:
        """The data that the page shows, as JSON has it."""
        ...

    def actions(self) -> Mapping[str, Action]:
        """The actions by name; they get the message of the page and raise MedSegFMError."""
        ...
