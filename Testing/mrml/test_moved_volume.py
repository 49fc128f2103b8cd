"""A volume that is moved in the middle of the work takes prompts and segments along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sample_volumes import rotation
from scene_helpers import (
    SessionClient,
    add_transform,
    add_volume_node,
    content,
    slicer_content,
)

from MedSegFMLib import Box, Geometry, Lasso, Point, Scribble, Text, Volume
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import Warned, Written
from MedSegFMLib.prompts.edits import carrier
from MedSegFMLib.prompts.prompt_list import PromptList

MATRIX = np.eye(4)
MATRIX[:3, :3], MATRIX[:3, 3] = rotation(20, -10, 5), (300, -200, 100)


@pytest.fixture
def at_work(logic: SegmentationLogic, volume_node: Any) -> SegmentationLogic:
    logic.set_volume(volume_node)
    logic.add(Box.from_ijk(logic.volume.geometry, (2, 3, 1), (7, 9, 6)))
    logic.pump()
    logic.add(Point.from_ijk(logic.volume.geometry, (9, 11, 7)))
    logic.pump()
    return logic


def test_prompts_and_segment_go_with_a_volume_that_is_put_under_a_transform(
    at_work: SegmentationLogic, scene: Any, volume_node: Any
) -> None:
    before = content(at_work, 1)
    transform = add_transform(scene, MATRIX)
    for parent in (transform.GetID(), None):
        volume_node.SetAndObserveTransformNodeID(parent)
        updates = at_work.pump()
        assert not any(isinstance(u, Warned) for u in updates)
        assert np.array_equal(content(at_work, 1), before)
        assert np.array_equal(slicer_content(at_work, 1), before)
        box, point = (prompt for _, prompt in at_work.prompts.entries)
        geometry = at_work.volume.geometry
        assert np.allclose(geometry.ijk_from_ras(point.position_ras), (9, 11, 7))
        assert np.allclose(geometry.ijk_from_ras(box.center_ras), (4, 5.5, 3))
        shown = at_work.view.draft("point").GetNthControlPointPositionWorld(0)
        assert np.allclose(shown, point.position_ras)
        at_work.undo()
        at_work.pump()
        assert content(at_work, 1).sum() == 5 * 6 * 5
        at_work.redo()
        at_work.pump()
        assert np.array_equal(slicer_content(at_work, 1), before)


def test_hardening_a_volumes_transform_moves_nothing(
    at_work: SegmentationLogic, client: SessionClient, scene: Any, volume_node: Any
) -> None:
    volume_node.SetAndObserveTransformNodeID(add_transform(scene, MATRIX).GetID())
    at_work.pump()
    before, prompts, asked = content(at_work, 1), at_work.prompts, len(client.requests)
    volume_node.HardenTransform()
    at_work.pump()
    assert at_work.prompts == prompts and len(client.requests) == asked
    assert np.array_equal(slicer_content(at_work, 1), before)


def test_a_volume_moved_while_another_was_chosen_takes_its_prompts_along(
    at_work: SegmentationLogic, scene: Any, volume_node: Any
) -> None:
    other = Volume(np.arange(4**3).reshape(4, 4, 4), Geometry((4, 4, 4), np.eye(4)))
    at_work.set_volume(add_volume_node(scene, other, "other"))
    volume_node.SetAndObserveTransformNodeID(add_transform(scene, MATRIX).GetID())
    at_work.set_volume(volume_node)
    (_, point) = at_work.prompts.entries[1]
    assert np.allclose(at_work.volume.geometry.ijk_from_ras(point.position_ras), (9, 11, 7))
    assert any(isinstance(u, Written) for u in at_work.pump())


def test_an_answer_that_leaves_the_segmentations_grid_is_told(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    small = Volume(np.zeros((4, 4, 4)), Geometry.from_spacing((4, 4, 4), (1.0, 2.0, 3.0)))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "small")
    node.SetReferenceImageGeometryParameterFromVolumeNode(add_volume_node(scene, small, "part"))
    logic.set_volume(plain)
    logic.use_segmentation(node)
    logic.add(Box.from_ijk(logic.volume.geometry, (1, 1, 1), (4, 4, 4)))
    assert not [u for u in logic.pump() if isinstance(u, Warned)]
    logic.move(0, (7.5, 9, 12))
    (told,) = [u.sentence for u in logic.pump() if isinstance(u, Warned)]
    assert "Segment_1" in told and "small" in told and "choose a new segmentation" in told


def test_every_kind_of_prompt_is_carried() -> None:
    corners = ((0.0, 0.0, 0.0), (4.0, 0.0, 0.0), (4.0, 5.0, 0.0))
    prompts = PromptList().with_object()
    for prompt in (Point((1, 2, 3), False), Scribble(corners), Lasso(corners), Text("liver")):
        prompts = prompts.added(1, prompt)
    prompts = prompts.added(1, Box.from_ras((0, 0, 0), (2, 4, 6)))
    there = carrier(MATRIX)(prompts)
    point, scribble, _, text, box = (prompt for _, prompt in there.entries)
    assert np.allclose(point.position_ras, (MATRIX @ (1, 2, 3, 1))[:3]) and not point.positive
    assert np.allclose(scribble.positions_ras[1], (MATRIX @ (4, 0, 0, 1))[:3])
    assert text == Text("liver")
    wanted = prompts.entries[-1][1].corners_ras() @ MATRIX[:3, :3].T + MATRIX[:3, 3]
    assert np.allclose(box.corners_ras(), wanted)
