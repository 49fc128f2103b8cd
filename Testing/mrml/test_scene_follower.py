"""Changes that others make to the volume and the segments are followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import (
    SessionClient,
    add_volume_node,
    block,
    box_kji,
    click,
    content,
    paint,
)

from MedSegFMLib import Geometry, Point, Region, Volume
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import VolumeGone, Warned, Written


@pytest.mark.parametrize("what", ["volume", "segmentation", "scene", "swap"])
def test_an_answer_finds_its_target_gone_and_is_dropped(
    logic: SegmentationLogic, client: SessionClient, scene: Any, plain: Any, what: str
) -> None:
    logic.set_volume(plain)
    client.paused = True
    logic.add(click(logic, (1, 1, 1)))
    logic.pump()
    late = client.answer(1, client.requests[0])
    if what == "volume":
        scene.RemoveNode(plain)
    elif what == "segmentation":
        scene.RemoveNode(logic.segments.node)
    elif what == "scene":
        scene.Clear(False)
    else:
        other = add_volume_node(
            scene, Volume(np.arange(4**3).reshape(4, 4, 4), Geometry((4, 4, 4), np.eye(4)))
        )
        logic.set_volume(other)
    client.late.append(late)
    updates = logic.pump()
    assert not any(isinstance(u, Written) for u in updates)
    assert not logic.is_predicting
    assert any(isinstance(u, VolumeGone) for u in updates) == (what in ("volume", "scene"))
    if what == "segmentation":
        client.paused = False
        logic.add(click(logic, (2, 2, 2)))
        logic.pump()
        assert content(logic, 1).sum() == 2
    if what in ("volume", "scene"):
        with pytest.raises(VolumeError, match="No volume is chosen"):
            logic.add(Point((0, 0, 0)))


def test_a_deleted_segment_takes_its_object_along_and_undo_brings_both_back(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.objects.add("spleen")
    logic.add(box_kji(logic, (5, 5, 5), (7, 7, 7)))
    logic.pump()
    logic.segments.node.GetSegmentation().RemoveSegment(logic.segments.ids[2])
    logic.pump()
    logic.pump()
    assert logic.prompts.labels == (1,)
    logic.undo()
    logic.pump()
    assert logic.prompts.labels == (1, 2)
    assert np.array_equal(content(logic, 2), block((5, 5, 5), (7, 7, 7)))


def test_changed_voxels_are_sent_and_predicted_again(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.pump()
    plain.SetName("another name")
    logic.pump()
    assert len(client.volumes) == 1
    plain.GetImageData().GetPointData().GetScalars().Modified()
    plain.Modified()
    logic.pump()
    assert len(client.volumes) == 2 and len(client.requests) == 2


def test_what_others_paint_and_erase_stays(logic: SegmentationLogic, plain: Any) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (2, 2, 2), (6, 6, 6)))
    logic.pump()
    painted, erased = Region((3, 3, 9), (4, 4, 11)), Region((3, 3, 3), (4, 4, 5))
    paint(logic, 1, painted)
    paint(logic, 1, erased, False)
    by_hand = block((2, 2, 2), (6, 6, 6))
    by_hand[painted.slices], by_hand[erased.slices] = True, False
    assert np.array_equal(content(logic, 1), by_hand)
    logic.add(box_kji(logic, (2, 2, 2), (6, 6, 12)))
    logic.pump()
    expected = block((2, 2, 2), (6, 6, 12))
    expected[erased.slices] = False
    assert np.array_equal(content(logic, 1), expected)
    logic.undo()
    assert np.array_equal(content(logic, 1), by_hand)
    logic.undo()
    only_painted = np.zeros_like(by_hand)
    only_painted[painted.slices] = True
    assert np.array_equal(content(logic, 1), only_painted)


def test_a_volume_that_becomes_unusable_is_told(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    from scene_helpers import add_bent_transform

    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.pump()
    plain.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    warned = [u for u in logic.pump() if isinstance(u, Warned)]
    assert "non-linear" in warned[0].sentence and len(logic.prompts.entries) == 1


def test_an_unusable_volume_is_named_when_a_prompt_is_added(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    from scene_helpers import add_bent_transform

    logic.set_volume(plain)
    plain.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    logic.pump()
    with pytest.raises(VolumeError, match="volume cannot be segmented as it is now; undo"):
        logic.add(Point((3, 3, 3)))
    plain.SetAndObserveTransformNodeID(None)
    logic.pump()
    logic.add(Point((3, 4, 3)))


def test_what_was_undone_while_the_volume_was_unusable_is_undone_when_it_is_back(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    from scene_helpers import add_bent_transform

    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.pump()
    plain.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    logic.pump()
    logic.undo()
    plain.SetAndObserveTransformNodeID(None)
    logic.pump()
    assert 1 not in logic.prompts.labels
    assert logic.segments.node.GetSegmentation().GetNumberOfSegments() == 0


def test_no_older_answer_is_written_after_an_undo_that_could_not_be_shown(
    logic: SegmentationLogic, client: SessionClient, scene: Any, plain: Any
) -> None:
    from scene_helpers import add_bent_transform

    logic.set_volume(plain)
    logic.add(click(logic, (1, 1, 1)))
    logic.pump()
    client.paused = True
    logic.add(click(logic, (2, 2, 2)))
    logic.segments.node.SetAndObserveTransformNodeID(add_bent_transform(scene).GetID())
    logic.undo()
    logic.segments.node.SetAndObserveTransformNodeID(None)
    client.paused = False
    logic.pump()
    assert content(logic, 1).sum() == 1


def test_voxels_that_are_nan_count_as_background_and_that_is_said(
    scene: Any, logic: SegmentationLogic
) -> None:
    array = np.arange(12 * 14 * 16, dtype=np.float32).reshape(12, 14, 16) - 50
    array[:3] = np.nan
    node = add_volume_node(scene, Volume(array, Geometry.from_spacing(array.shape)))
    logic.set_volume(node)
    said = [update.sentence for update in logic.pump() if isinstance(update, Warned)]
    assert len(said) == 1 and "672 voxels that are NaN and count as background" in said[0]
    assert np.array_equal(logic.volume.array_kji, np.where(np.isnan(array), array[3, 0, 0], array))
