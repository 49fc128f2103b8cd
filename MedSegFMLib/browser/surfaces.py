"""Surfaces of the segments in the 3D view, made when nothing else is to be done."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

_QUIET_SECONDS = 0.4
_SURFACE = "Closed surface"


class Surfaces:
    """Keeps the closed surface of a segmentation up to date, some time after its last change.

    Slicer makes surfaces again with each change of a voxel as long as it has them, which would
    hold up every answer.

    Args:
        is_idle: Whether no answer is awaited.
        first: Called after the first surface of a segmentation was made.
    """

    def __init__(self, is_idle: Callable[[], bool], first: Callable[[], None]) -> None:
        self._is_idle, self._first = is_idle, first
        self._changed_at: float | None = None
        self._looked_at: Any | None = None

    def note_change(self, node: Any | None) -> None:
        """Note that segments have changed; a surface that is out of date is removed."""
        self._changed_at = monotonic()
        if node is not None and node.GetSegmentation().ContainsRepresentation(_SURFACE):
            node.GetSegmentation().RemoveRepresentation(_SURFACE)

    def update(self, node: Any | None) -> None:
        """Make the surface if it is time; called with each tick."""
        if node is None or self._changed_at is None or not self._is_idle():
            return
        if monotonic() - self._changed_at < _QUIET_SECONDS:
            return
        self._changed_at = None
        node.CreateClosedSurfaceRepresentation()
        if self._looked_at is not node:
            self._looked_at = node
            self._first()
