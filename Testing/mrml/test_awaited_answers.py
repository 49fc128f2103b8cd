"""An answer that was awaited when work was put down is requested again when it is taken up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_helpers import SessionClient, add_volume_node, content, paint

from MedSegFMLib import Box, Geometry, Point, Region, Volume
from MedSegFMLib.mrml.autosave import Autosave
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.segments.model_voxels import ModelVoxels


@pytest.fixture
def other(scene: Any, plain: Any) -> Any:
    values = np.arange(4**3).reshape(4, 4, 4)
    return add_volume_node(scene, Volume(values, Geometry((4, 4, 4), np.eye(4))), "other")


@pytest.fixture
def awaiting(logic: SegmentationLogic, client: SessionClient, plain: Any) -> SegmentationLogic:
    """A box was answered, and the answer to a click is awaited."""
    logic.set_volume(plain)
    logic.add(Box.from_ijk(logic.volume.geometry, (2, 2, 2), (6, 6, 6)))
    logic.pump()
    client.paused = True
    logic.add(click(logic))
    logic.pump()
    return logic


def click(logic: SegmentationLogic) -> Point:
    return Point.from_ijk(logic.volume.geometry, (9, 3, 3))


def has_click(logic: SegmentationLogic) -> bool:
    return bool(content(logic, 1)[3, 3, 9])


def settle(logic: SegmentationLogic, client: SessionClient) -> None:
    client.paused = False
    logic.pump()
    logic.pump()


def test_after_a_look_at_another_volume(
    awaiting: SegmentationLogic, client: SessionClient, plain: Any, other: Any
) -> None:
    awaiting.set_volume(other)
    awaiting.set_volume(plain)
    settle(awaiting, client)
    assert len(awaiting.prompts.entries) == 2 and has_click(awaiting)
    awaiting.add(Point.from_ijk(awaiting.volume.geometry, (1, 9, 9)))
    awaiting.pump()
    awaiting.undo()
    awaiting.pump()
    assert has_click(awaiting) and not content(awaiting, 1)[9, 9, 1]


def test_what_was_answered_is_not_requested_again(
    awaiting: SegmentationLogic, client: SessionClient, plain: Any, other: Any
) -> None:
    settle(awaiting, client)
    requested = len(client.requests)
    awaiting.set_volume(other)
    awaiting.set_volume(plain)
    awaiting.pump()
    assert len(client.requests) == requested and has_click(awaiting)


def test_undo_and_redo_do_not_take_an_old_segment_for_the_answer(
    awaiting: SegmentationLogic, client: SessionClient, plain: Any, other: Any
) -> None:
    awaiting.set_volume(other)
    awaiting.set_volume(plain)
    awaiting.add(Point.from_ijk(awaiting.volume.geometry, (1, 9, 9)))
    awaiting.undo()
    settle(awaiting, client)
    assert has_click(awaiting)


def test_a_result_that_takes_a_segments_place_is_not_the_answer_to_the_others(
    awaiting: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    awaiting.objects.add("second")
    awaiting.add(Box.from_ijk(awaiting.volume.geometry, (9, 9, 7), (12, 12, 10)))
    mask = ModelVoxels(Region((0, 0, 0), (2, 2, 2)), np.ones((2, 2, 2), bool))
    awaiting.objects.replace(1, mask)
    awaiting.undo()
    awaiting.undo()
    awaiting.redo()
    settle(awaiting, client)
    assert content(awaiting, 2).sum() == 27 and has_click(awaiting)


@pytest.mark.parametrize("how", ["recovered", "loaded", "reloaded"])
def test_after_recovery_a_loaded_scene_and_a_reload(
    slicer_app: Any, scene: Any, plain: Any, tmp_path: Path, how: str
) -> None:
    client = SessionClient()
    autosave = Autosave(tmp_path / "autosave", seconds=0)
    first = SegmentationLogic(scene, lambda _host: client, autosave=autosave)
    first.set_volume(plain)
    volume = first.volume
    first.add(Box.from_ijk(volume.geometry, (2, 2, 2), (6, 6, 6)))
    first.pump()
    client.paused = True
    first.add(click(first))
    first.pump()
    if how == "loaded":
        assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    if how != "reloaded":
        scene.Clear(False)
    first.close()
    again = SegmentationLogic(scene, lambda _host: SessionClient())
    if how == "recovered":
        again.set_volume(add_volume_node(scene, volume))
        snapshot = autosave.read()
        assert snapshot is not None and snapshot.state.answered_by is None
        again.saved.recover(snapshot)
    elif how == "loaded":
        (tmp_path / "unpacked").mkdir()
        slicer_app.app_logic.OpenSlicerDataBundle(
            str(tmp_path / "scene.mrb"), str(tmp_path / "unpacked")
        )
    else:
        again.set_volume(plain)
    again.pump()
    again.pump()
    assert len(again.prompts.entries) == 2 and has_click(again)
    again.close()


@pytest.mark.parametrize("what", ["the segmentation", "a segment"])
def test_what_was_deleted_while_another_volume_was_chosen_is_made_again(
    awaiting: SegmentationLogic,
    client: SessionClient,
    plain: Any,
    other: Any,
    what: str,
    scene: Any,
) -> None:
    settle(awaiting, client)
    node, segment_id = awaiting.segments.node, awaiting.segments.ids[1]
    awaiting.set_volume(other)
    if what == "a segment":
        node.GetSegmentation().RemoveSegment(segment_id)
    else:
        scene.RemoveNode(node)
    awaiting.set_volume(plain)
    settle(awaiting, client)
    assert has_click(awaiting)


@pytest.mark.parametrize("then", ["run", "another model"])
def test_after_the_segmentation_was_deleted_an_answer_makes_a_new_one(
    awaiting: SegmentationLogic, client: SessionClient, scene: Any, then: str
) -> None:
    settle(awaiting, client)
    scene.RemoveNode(awaiting.segments.node)
    awaiting.pump()
    if then == "run":
        awaiting.predict()
    else:
        awaiting.set_model("randomwalk")
    awaiting.pump()
    assert has_click(awaiting)


def test_the_answer_of_a_model_that_is_not_here_is_kept_but_not_taken_for_another(
    awaiting: SegmentationLogic, client: SessionClient, scene: Any, plain: Any, other: Any
) -> None:
    settle(awaiting, client)
    awaiting.set_volume(other)
    node = scene.GetFirstNodeByClass("vtkMRMLTextNode")
    document = json.loads(node.GetText()) | {"model": "gone", "answered_by": "gone"}
    node.SetText(json.dumps(document))
    requested = len(client.requests)
    awaiting.set_volume(plain)
    assert len(client.requests) == requested and has_click(awaiting)
    awaiting.add(Point.from_ijk(awaiting.volume.geometry, (1, 9, 9)))
    awaiting.undo()
    assert len(client.requests) == requested + 2, "undo requests this model's answer"


def test_of_two_segmentations_of_a_volume_the_one_used_last_is_taken_up(
    awaiting: SegmentationLogic, client: SessionClient, plain: Any, other: Any
) -> None:
    settle(awaiting, client)
    first = awaiting.segments.node
    awaiting.use_segmentation(None)
    awaiting.pump()
    awaiting.use_segmentation(first)
    awaiting.pump()
    awaiting.add(Point.from_ijk(awaiting.volume.geometry, (1, 9, 9)))
    awaiting.pump()
    awaiting.set_volume(other)
    awaiting.set_volume(plain)
    assert awaiting.segments.node is first and len(awaiting.prompts.entries) == 3


def test_loading_a_model_in_advance_does_not_stop_an_awaited_answer(
    awaiting: SegmentationLogic, client: SessionClient
) -> None:
    awaiting.requests.warm_up()
    settle(awaiting, client)
    assert has_click(awaiting)


def test_what_others_drew_stays_when_an_answer_is_requested_again(
    awaiting: SegmentationLogic, client: SessionClient, plain: Any, other: Any
) -> None:
    paint(awaiting, 1, Region((9, 9, 2), (10, 10, 4)))
    awaiting.set_volume(other)
    awaiting.set_volume(plain)
    settle(awaiting, client)
    assert has_click(awaiting) and content(awaiting, 1)[9, 9, 2:4].all()
