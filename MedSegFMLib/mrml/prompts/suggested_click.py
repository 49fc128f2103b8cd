"""The suggested next click, as a mark in the views that is not a prompt."""

from __future__ import annotations

from typing import Any

from ...prompts.types import Position
from ..nodes.hidden_nodes import add_display, add_helper, is_in, remove

_COLORS = {True: (0.60, 1.00, 0.75), False: (1.00, 0.65, 0.70)}
_GLYPH_PERCENT = 3.5
_TEXT_PERCENT = 3.5


class SuggestedClick:
    """A locked diamond with the sign beside it.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        node: The vtkMRMLMarkupsFiducialNode; None while nothing is shown.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.node: Any | None = None

    def show(self, position_ras: Position, positive: bool) -> None:
        """Show a suggestion of one sign at a place in RAS millimetres."""
        if not is_in(self._scene, self.node):
            self._make()
        node = self.node
        assert node is not None, "it was just made"
        was_modified = node.StartModify()
        if node.GetNumberOfControlPoints():
            node.SetNthControlPointPositionWorld(0, position_ras)
        else:
            node.AddControlPointWorld(*position_ras)
        node.SetNthControlPointLabel(0, "+ ?" if positive else "− ?")
        node.SetNthControlPointLocked(0, True)
        display = node.GetDisplayNode()
        for set_color in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
            set_color(_COLORS[positive])
        node.EndModify(was_modified)

    def clear(self) -> None:
        """Remove the mark."""
        remove(self._scene, self.node)
        self.node = None

    def _make(self) -> None:
        node = add_helper(self._scene, "vtkMRMLMarkupsFiducialNode", "MedSegFM suggestion")
        node.SetLocked(True)
        display = add_display(node)
        display.SetGlyphType(display.Diamond2D)
        display.SetGlyphScale(_GLYPH_PERCENT)
        display.SetTextScale(_TEXT_PERCENT)
        display.SetPointLabelsVisibility(True)
        display.SetPropertiesLabelVisibility(False)
        self.node = node
