"""The user's own display while a scene is saved: temporary changes are no part of the file.

A colleague may open the scene without this library, where nothing would change it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import slicer


class SavedPart(Protocol):
    """Something that changes nodes which are saved with the scene."""

    def give_back(self) -> None:
        """Set the nodes to the user's own state, quietly."""
        ...

    def take_up(self) -> None:
        """Set them to the state that `give_back` has found."""
        ...


class WhileSaving:
    """Has its parts give their changes back when the scene begins to be saved, until the end of it.

    Args:
        scene: The vtkMRMLScene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._parts: list[SavedPart] = []
        self._given_back: list[SavedPart] = []
        self._tags = [
            scene.AddObserver(slicer.vtkMRMLScene.StartSaveEvent, lambda *_: self._begin()),
            scene.AddObserver(slicer.vtkMRMLScene.EndSaveEvent, lambda *_: self._end()),
        ]

    def add(self, part: SavedPart) -> None:
        """Have a part give its changes back too."""
        self._parts.append(part)

    def close(self) -> None:
        """Stop observing the scene."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []

    def _begin(self) -> None:
        if self._given_back:
            return
        for part in self._parts:
            part.give_back()
            self._given_back.append(part)

    def _end(self) -> None:
        given_back, self._given_back = self._given_back, []
        for part in reversed(given_back):
            part.take_up()


@contextmanager
def quietly(node: Any) -> Iterator[None]:
    """Change a node without an event: views and widgets go on with the state before."""
    was_quiet = node.GetDisableModifiedEvent()
    node.SetDisableModifiedEvent(1)
    try:
        yield
    finally:
        node.SetDisableModifiedEvent(was_quiet)
