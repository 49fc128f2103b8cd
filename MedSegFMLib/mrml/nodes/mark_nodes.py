"""Fiducials by which the program points at something; they are not prompts."""

from __future__ import annotations

from typing import Any, Literal

from .hidden_nodes import add_display, add_helper

# Neither the colour of a positive click nor that of a negative one.
_COLOR = (1.00, 0.90, 0.40)


def add_mark_node(
    scene: Any, name: str, glyph: Literal["Circle2D", "Diamond2D"], percent: float
) -> Any:
    """A vtkMRMLMarkupsFiducialNode without points, whose labels are shown beside them.

    Args:
        scene: The vtkMRMLScene.
        name: The name of the node.
        glyph: The shape of a point.
        percent: The size of points and labels as a part of the view, in percent.
    """
    node = add_helper(scene, "vtkMRMLMarkupsFiducialNode", name)
    display = add_display(node)
    display.SetGlyphType(getattr(display, glyph))
    display.SetGlyphScale(percent)
    display.SetTextScale(percent)
    display.SetPointLabelsVisibility(True)
    display.SetPropertiesLabelVisibility(False)
    for set_color in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
        set_color(_COLOR)
    return node
