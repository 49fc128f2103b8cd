"""Between markups nodes and prompts: one node or control point for one prompt.

A node has one sign, so that views show it in the node's colour: the attribute MedSegFM.Sign is "+"
or "-". A node without it counts as "+".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import GeometryError, PromptError
from ...prompts.positions import Position, as_position
from ...prompts.types import Box, Lasso, Line, Point, Prompt, Scribble
from ..nodes.hidden_nodes import same_place_node
from ..nodes.transforms import local_to_ras, to_numpy, to_vtk

SIGN = "MedSegFM.Sign"
ROLE = "MedSegFM.Role"
CLASSES = {
    "point": "vtkMRMLMarkupsFiducialNode",
    "box": "vtkMRMLMarkupsROINode",
    "scribble": "vtkMRMLMarkupsCurveNode",
    "lasso": "vtkMRMLMarkupsClosedCurveNode",
    "line": "vtkMRMLMarkupsLineNode",
}


_COLORS = {True: (0.20, 0.80, 0.35), False: (0.95, 0.25, 0.20)}
_BOX_COLOR = (0.95, 0.80, 0.20)
# Prompts that have no sign.
_UNSIGNED = ("box", "line")
_DRAWN = Scribble | Lasso | Line
# Setting a position and reading it back through a parent transform costs the last digits.
SAME_MM = 1e-6


def add_markup(scene: Any, role: str, positive: bool) -> Any:
    """Add a markups node for prompts of one type and sign; it is not saved with the scene.

    Args:
        scene: The vtkMRMLScene.
        role: A key of `CLASSES`.
        positive: Whether its prompts mark what belongs to the object.
    """
    title = role if role in _UNSIGNED else f"{role} {'+' if positive else '−'}"
    with same_place_node(scene):
        node = scene.AddNewNodeByClass(CLASSES[role], f"MedSegFM {title}")
    node.SetAttribute(ROLE, role)
    node.SetAttribute(SIGN, "+" if positive else "-")
    node.SetSaveWithScene(False)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display is not None:
        color = _BOX_COLOR if role in _UNSIGNED else _COLORS[positive]
        display.SetColor(color)
        display.SetSelectedColor(color)
        display.SetSaveWithScene(False)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
        if role == "box":
            display.SetFillVisibility(False)
    return node


def is_positive_node(node: Any) -> bool:
    """Whether a markups node marks what belongs to the object."""
    return bool(node.GetAttribute(SIGN) != "-")


def prompts_from_node(node: Any) -> list[Prompt]:
    """The prompts that a markups node stands for, in RAS millimetres.

    Fiducials give a point for each defined control point, the others one prompt; a curve is taken
    as it is drawn, with the points between its control points. Parent transforms are folded in.

    Raises:
        PromptError: If a ROI has zero size or is under a non-linear transform, a curve or a line
            has too few points, or the node is of another type.
    """
    positive = is_positive_node(node)
    if node.IsA("vtkMRMLMarkupsROINode"):
        return [box_from_roi(node)]
    if node.IsA("vtkMRMLMarkupsClosedCurveNode"):
        return [Lasso(_drawn(node), positive)]
    if node.IsA("vtkMRMLMarkupsCurveNode"):
        return [Scribble(_drawn(node), positive)]
    if node.IsA("vtkMRMLMarkupsLineNode"):
        return [Line(tuple(position for _, position in defined_points(node)))]
    if node.IsA("vtkMRMLMarkupsFiducialNode"):
        return [Point(position, positive) for _, position in defined_points(node)]
    raise PromptError(
        f"The node {node.GetName()} is a {node.GetClassName()}; draw a box, a line, a "
        "point or a curve."
    )


def box_from_roi(node: Any) -> Box:
    """The box that a ROI node shows.

    Raises:
        PromptError: If it has zero size or is under a non-linear transform.
    """
    try:
        local_to_ras(node)
    except GeometryError as error:
        raise PromptError(
            f"The box {node.GetName()} is under a non-linear transform; harden the transform "
            "or take the box out of it."
        ) from error
    matrix = to_numpy(node.GetObjectToWorldMatrix())
    edges = matrix[:3, :3] * np.array(node.GetSize())
    first, second, third = (as_position(edge) for edge in edges.T)
    return Box(as_position(matrix[:3, 3]), (first, second, third))


def defined_points(node: Any) -> list[tuple[str, Position]]:
    """Identifier and position in RAS millimetres of each control point that is placed."""
    return [
        (node.GetNthControlPointID(n), as_position(node.GetNthControlPointPositionWorld(n)))
        for n in range(node.GetNumberOfControlPoints())
        if node.GetNthControlPointPositionStatus(n) == node.PositionDefined
    ]


def show_prompt(node: Any, prompt: Box | Scribble | Lasso | Line) -> None:
    """Give a node of the prompt's class the prompt's place and shape.

    A ROI has edges at right angles: a sheared box is shown with the nearest such edges.
    """
    if isinstance(prompt, Box):
        edges = np.array(prompt.edges_ras).T
        lengths = np.linalg.norm(edges, axis=0)
        left, _, right = np.linalg.svd(edges / lengths)
        axes = left @ right
        if np.linalg.det(axes) < 0:
            # A box is the same with an edge reversed, and ROI handles are right-handed.
            axes[:, 2] *= -1
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = axes, prompt.center_ras
        node.SetSize(*lengths.tolist())
        node.SetAndObserveObjectToNodeMatrix(to_vtk(matrix))
        if node.GetNumberOfControlPoints() == 0:
            node.AddControlPointWorld(*prompt.center_ras)
        return
    if not isinstance(prompt, Line):
        node.SetCurveTypeToLinear()
    node.RemoveAllControlPoints()
    for position in prompt.positions_ras:
        node.AddControlPointWorld(*position)


def same_shape(first: Prompt, second: Prompt) -> bool:
    """Whether two prompts have the same shape but for the last digits."""
    if isinstance(first, Box) and isinstance(second, Box):
        return bool(np.allclose(first.corners_ras(), second.corners_ras(), atol=SAME_MM))
    if isinstance(first, _DRAWN) and isinstance(second, _DRAWN):
        a, b = first.positions_ras, second.positions_ras
        return len(a) == len(b) and bool(np.allclose(a, b, atol=SAME_MM))
    return first == second


def _drawn(node: Any) -> tuple[Position, ...]:
    """The polyline of a curve: the control points of a linear one, else the points between."""
    if node.GetCurveType() == node.GetCurveGenerator().CURVE_TYPE_LINEAR_SPLINE:
        return tuple(position for _, position in defined_points(node))
    points = node.GetCurvePointsWorld()
    if points is None:
        return ()
    return tuple(as_position(points.GetPoint(n)) for n in range(points.GetNumberOfPoints()))
