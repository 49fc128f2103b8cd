"""Numbered hot spots at the places where an object may be; a click at one is noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...prompts.places import Place
from ..nodes.hidden_nodes import is_in, remove
from ..nodes.mark_nodes import add_mark_node

_PERCENT = 4.5


class PlaceMarks:
    """A fiducial list with the numbers of the places as labels.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        node: The vtkMRMLMarkupsFiducialNode; None while nothing is shown.
        picked: The number of the place that was clicked since it was set to None.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._shown: tuple[Place, ...] = ()
        self._tag = 0
        self.node: Any | None = None
        self.picked: int | None = None

    def show(self, places: Sequence[Place]) -> None:
        """Show places; nothing is done twice, and one that was dragged goes back."""
        wanted = tuple(places)
        there = is_in(self._scene, self.node)
        if there and wanted == self._shown and self.picked is None:
            return
        if not there:
            self._make()
        node = self.node
        assert node is not None, "it was just made"
        was_modified = node.StartModify()
        node.RemoveAllControlPoints()
        for number, place in enumerate(wanted):
            node.AddControlPointWorld(*place.position_ras)
            node.SetNthControlPointLabel(number, str(place.number))
        node.EndModify(was_modified)
        self._shown, self.picked = wanted, None

    def clear(self) -> None:
        """Remove the marks."""
        if self.node is not None:
            self.node.RemoveObserver(self._tag)
        remove(self._scene, self.node)
        self.node, self._shown, self.picked = None, (), None

    def _make(self) -> None:
        node = add_mark_node(self._scene, "MedSegFM places", "Circle2D", _PERCENT)
        # A click begins an interaction with the point under the mouse, which is the active one.
        self._tag = node.AddObserver(node.PointStartInteractionEvent, self._on_click)
        self.node, self._shown = node, ()

    def _on_click(self, caller: Any, _event: str) -> None:
        at = caller.GetDisplayNode().GetActiveControlPoint()
        if 0 <= at < len(self._shown):
            self.picked = self._shown[at].number
