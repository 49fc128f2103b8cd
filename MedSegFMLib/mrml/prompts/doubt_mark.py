"""The mark of the position where the planes are in doubt; it is not a prompt."""

from __future__ import annotations

from typing import Any

from ...prompts.positions import Position
from ..nodes.hidden_nodes import is_in, remove
from ..nodes.mark_nodes import add_mark_node

_PERCENT = 3.5


class DoubtMark:
    """A locked diamond with a question mark beside it.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        node: The vtkMRMLMarkupsFiducialNode; None while nothing is shown.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.node: Any | None = None

    def show(self, position_ras: Position) -> None:
        """Show the mark at a place in RAS millimetres."""
        if not is_in(self._scene, self.node):
            self._make()
        node = self.node
        assert node is not None, "it was just made"
        was_modified = node.StartModify()
        if node.GetNumberOfControlPoints():
            node.SetNthControlPointPositionWorld(0, position_ras)
        else:
            node.AddControlPointWorld(*position_ras)
        node.SetNthControlPointLabel(0, "?")
        node.SetNthControlPointLocked(0, True)
        node.EndModify(was_modified)

    def clear(self) -> None:
        """Remove the mark."""
        remove(self._scene, self.node)
        self.node = None

    def _make(self) -> None:
        node = add_mark_node(self._scene, "MedSegFM suggestion", "Diamond2D", _PERCENT)
        node.SetLocked(True)
        self.node = node
