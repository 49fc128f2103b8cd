"""Markups nodes as prompts, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sample_volumes import rotation
from scene_helpers import add_bent_transform, add_transform

from MedSegFMLib import Box, Geometry, Lasso, Line, Point, Scribble
from MedSegFMLib.errors import PromptError
from MedSegFMLib.mrml.prompts.nodes import (
    CLASSES,
    SIGN,
    prompts_from_node,
    show_prompt,
)
from MedSegFMLib.prompts.voxels import box_region, mark_voxels


def make(scene: Any, kind: str) -> Any:
    return scene.AddNewNodeByClass(CLASSES[kind], kind)


def test_a_point_on_a_voxel_marks_that_voxel(scene: Any, geometry: Geometry) -> None:
    node = make(scene, "point")
    node.AddControlPointWorld(*geometry.ras_from_ijk((7, 3, 5)).tolist())
    (point,) = prompts_from_node(node)
    assert isinstance(point, Point) and point.positive
    assert mark_voxels(point, geometry).tolist() == [[5, 3, 7]]


def test_the_sign_is_the_nodes(scene: Any) -> None:
    node = make(scene, "point")
    node.SetAttribute(SIGN, "-")
    node.AddControlPointWorld(1, 2, 3)
    assert prompts_from_node(node) == [Point((1, 2, 3), positive=False)]


def test_an_oblique_box_comes_back_with_the_same_voxels(scene: Any, geometry: Geometry) -> None:
    box = Box.from_ijk(geometry, (2, 3, 1), (7, 9, 6))
    node = make(scene, "box")
    show_prompt(node, box)
    (found,) = prompts_from_node(node)
    assert isinstance(found, Box)
    assert box_region(found, geometry) == box_region(box, geometry)


@pytest.mark.parametrize("kind", ["box", "scribble", "lasso", "line"])
def test_a_parent_transform_moves_the_prompt(scene: Any, kind: str) -> None:
    positions = ((0.0, 0.0, 0.0), (4.0, 0.0, 0.0), (4.0, 5.0, 0.0))
    prompts = {
        "box": Box.from_ras((0, 0, 0), (2, 4, 6)),
        "scribble": Scribble(positions),
        "lasso": Lasso(positions),
        "line": Line(positions[:2]),
    }
    node = make(scene, kind)
    show_prompt(node, prompts[kind])
    (before,) = prompts_from_node(node)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(5, 10, 15), (7, 8, 9)
    node.SetAndObserveTransformNodeID(add_transform(scene, matrix).GetID())
    (after,) = prompts_from_node(node)

    def corners(prompt: Any) -> np.ndarray:
        return prompt.corners_ras() if kind == "box" else np.array(prompt.positions_ras)

    moved = corners(before) @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.allclose(corners(after), moved)


@pytest.mark.parametrize("kind", ["scribble", "lasso"])
def test_a_curve_comes_back_as_it_was(scene: Any, kind: str) -> None:
    positions = tuple((float(x), float(x * x % 7), 3.0) for x in range(8))
    prompt = Scribble(positions) if kind == "scribble" else Lasso(positions)
    node = make(scene, kind)
    show_prompt(node, prompt)
    assert prompts_from_node(node) == [prompt]


def test_a_line_comes_back_as_it_was_and_an_open_one_is_refused(scene: Any) -> None:
    node, line = make(scene, "line"), Line(((1.0, 2.0, 3.0), (9.0, 2.5, 3.0)))
    show_prompt(node, line)
    assert prompts_from_node(node) == [line]
    node.RemoveNthControlPoint(1)
    with pytest.raises(PromptError, match="has 1 ends; give two"):
        prompts_from_node(node)


def test_a_smooth_curve_is_taken_as_it_is_drawn(scene: Any) -> None:
    node = make(scene, "scribble")
    for position in ((0, 0, 0), (5, 5, 0), (10, 0, 0)):
        node.AddControlPointWorld(*position)
    (prompt,) = prompts_from_node(node)
    assert isinstance(prompt, Scribble) and len(prompt.positions_ras) > 3


def test_a_box_without_size_is_refused(scene: Any) -> None:
    node = make(scene, "box")
    node.SetCenterWorld([1, 2, 3])
    with pytest.raises(PromptError, match="longer than 0"):
        prompts_from_node(node)


def test_a_box_under_a_bent_transform_is_refused(scene: Any) -> None:
    node = make(scene, "box")
    show_prompt(node, Box.from_ras((0, 0, 0), (2, 4, 6)))
    node.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    with pytest.raises(PromptError, match="harden the transform"):
        prompts_from_node(node)


def test_a_curve_with_too_few_points_is_refused(scene: Any) -> None:
    for kind, sentence in (("scribble", "at least one"), ("lasso", "at least three")):
        with pytest.raises(PromptError, match=sentence):
            prompts_from_node(make(scene, kind))


def test_another_kind_of_node_is_refused(scene: Any) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsAngleNode", "corner")
    with pytest.raises(PromptError, match="corner is a vtkMRMLMarkupsAngleNode"):
        prompts_from_node(node)
