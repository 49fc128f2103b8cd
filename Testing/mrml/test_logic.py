"""Volume, prompts, answers and segments stay in step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import (
    SessionClient,
    add_boxes,
    add_volume_node,
    content,
    paint,
    slicer_content,
)

from MedSegFMLib import Box, Geometry, Lasso, Point, Region, Scribble, Volume
from MedSegFMLib.errors import MaskError, PromptError, VolumeError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import VolumeGone, Warned, Written
from MedSegFMLib.prompts.voxels import box_region
from MedSegFMLib.registry import DEFAULT_MODEL
from MedSegFMLib.worker.events import Failed, Stopped


def block(start: tuple[int, int, int], stop: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((12, 14, 16), bool)
    mask[Region(start, stop).slices] = True
    return mask


def box_kji(logic: Any, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Box:
    return Box.from_ijk(logic.volume.geometry, start[::-1], stop[::-1])


def click(logic: Any, kji: tuple[int, int, int], positive: bool = True) -> Point:
    return Point.from_ijk(logic.volume.geometry, kji[::-1], positive)


def test_an_answer_lands_in_place_in_every_orientation(
    logic: SegmentationLogic, volume_node: Any, ball_box: Box
) -> None:
    logic.set_volume(volume_node)
    logic.add(ball_box)
    assert not content(logic, 1).any()
    written = [u for u in logic.pump() if isinstance(u, Written)]
    expected = np.zeros(logic.volume.geometry.shape_kji, bool)
    expected[box_region(ball_box, logic.volume.geometry).slices] = True
    assert np.array_equal(content(logic, 1), expected)
    assert np.array_equal(slicer_content(logic, 1), expected)
    assert written[0].added == {1: expected.sum()} and written[0].removed == {1: 0}


def test_segments_follow_five_undos_and_redos(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    masks = []
    for n in range(6):
        logic.add(click(logic, (3, 4, 2 + 2 * n)))
        logic.pump()
        masks.append(content(logic, 1))
        assert masks[-1].sum() == n + 1
    asked = len(client.requests)
    for mask in masks[-2::-1]:
        assert logic.undo()
        assert np.array_equal(content(logic, 1), mask)
    assert logic.undo() and not logic.prompts.entries
    for mask in masks:
        assert logic.redo()
        assert np.array_equal(content(logic, 1), mask)
    assert len(client.requests) == asked


def test_a_state_that_was_never_answered_is_predicted_after_undo(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    client.paused = True
    logic.add(click(logic, (1, 1, 1)))
    logic.add(click(logic, (2, 2, 2)))
    logic.pump()
    client.paused = False
    logic.undo()
    logic.pump()
    assert content(logic, 1).sum() == 1 and content(logic, 1)[1, 1, 1]


def test_what_an_earlier_answer_held_is_taken_back(logic: SegmentationLogic, plain: Any) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (1, 1, 1), (5, 5, 5)))
    logic.pump()
    logic.move(0, logic.volume.geometry.ras_from_ijk((10.5, 9.5, 8.5)))
    logic.pump()
    assert np.array_equal(content(logic, 1), block((7, 8, 9), (11, 12, 13)))


def test_several_boxes_give_one_segment_each_in_one_run(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.new_object_per_box = True
    for n in (1, 4, 7):
        node = logic.view.draft("box")
        node.SetCenterWorld([n + 0.5, 2 * n + 1, 3 * n + 1.5])
        node.SetSizeWorld([2, 4, 6])
    logic.pump()
    labels = logic.prompts.labels
    assert labels == (1, 2, 3) and len(client.requests) == 1
    assert [content(logic, n).sum() for n in labels] == [8, 8, 8]
    assert len(set(logic.segments.ids.values())) == 3


def test_a_second_box_begins_another_object_where_asked_for(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.new_object_per_box = True
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.add(box_kji(logic, (5, 5, 5), (7, 7, 7)))
    assert logic.prompts.labels == (1, 2) and logic.current_label == 2


def test_a_late_answer_is_never_written(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    client.paused = True
    logic.add(click(logic, (1, 1, 1)))
    late = client.answer(1, client.requests[0])
    logic.undo()
    client.late.append(late)
    logic.pump()
    assert not logic.prompts.entries and not logic.is_predicting
    assert 1 not in logic.segments.ids or not content(logic, 1).any()


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


def test_reset_empties_segments_and_undo_fills_them(logic: SegmentationLogic, plain: Any) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.pump()
    logic.reset()
    assert not content(logic, 1).any() and logic.prompts.labels == (1,)
    logic.undo()
    assert content(logic, 1).sum() == 8


def test_removing_an_object_removes_its_segment(logic: SegmentationLogic, plain: Any) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.objects.add("liver")
    logic.add(box_kji(logic, (5, 5, 5), (7, 7, 7)))
    logic.pump()
    logic.objects.remove(2)
    logic.pump()
    assert logic.segments.node.GetSegmentation().GetNumberOfSegments() == 1
    logic.undo()
    logic.pump()
    assert content(logic, 2).sum() == 8


def test_a_hundred_prompts_in_a_burst_are_all_kept(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    client.paused = True
    for n in range(100):
        logic.add(click(logic, (n // 14 % 12, n % 14, n % 16)))
        logic.pump()
    client.paused = False
    logic.pump()
    assert len(logic.prompts.entries) == 100
    assert content(logic, 1).sum() == 100


def test_a_prompt_outside_is_refused_and_changes_nothing(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    with pytest.raises(PromptError, match="outside the volume"):
        logic.add(Point((999, 0, 0)))
    assert not logic.can_undo and not client.requests


def test_a_failure_keeps_the_prompts(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(click(logic, (1, 1, 1), positive=False))
    failed = [u for u in logic.pump() if isinstance(u, Failed)]
    assert "Only background" in str(failed[0].error) and len(logic.prompts.entries) == 1
    logic.add(click(logic, (2, 2, 2)))
    logic.pump()
    assert content(logic, 1).sum() == 1


def test_cancel_keeps_the_prompts(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    client.paused = True
    logic.add(click(logic, (1, 1, 1)))
    logic.cancel()
    assert any(isinstance(u, Stopped) for u in logic.pump())
    assert not logic.is_predicting and len(logic.prompts.entries) == 1
    client.paused = False
    logic.predict()
    logic.pump()
    assert content(logic, 1).sum() == 1


def test_another_model_gets_the_same_prompts(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.pump()
    logic.set_model("ellipsoid")
    assert [r.model for r in client.requests] == [DEFAULT_MODEL, "ellipsoid"]
    assert client.requests[0].prompts == client.requests[1].prompts


def test_a_model_that_does_not_take_the_prompts_is_refused(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.set_model("randomwalk")
    logic.add(Lasso(((1, 1, 3), (9, 1, 3), (9, 9, 3))))
    logic.add(Scribble(((1, 1, 3), (9, 1, 3))))
    with pytest.raises(PromptError, match="does not support lasso"):
        logic.set_model("ellipsoid")
    assert logic.model == "randomwalk"


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


def test_a_segment_named_like_an_organ_gets_its_terminology_and_colour(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.objects.add("spleen")
    segment = logic.segments.node.GetSegmentation().GetSegment(logic.segments.ids[1])
    assert "SCT^78961009^Spleen" in segment.GetTerminology()
    assert np.allclose(segment.GetColor(), (157 / 255, 108 / 255, 162 / 255))
    logic.objects.rename(1, "nobody knows")
    assert segment.GetName() == "nobody knows" and "Tissue" in segment.GetTerminology()


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


def name_of(logic: SegmentationLogic, label: int) -> str:
    return str(
        logic.segments.node.GetSegmentation().GetSegment(logic.segments.ids[label]).GetName()
    )


def test_undo_of_a_new_name_renames_the_segment(logic: SegmentationLogic, plain: Any) -> None:
    logic.set_volume(plain)
    logic.objects.add("liver")
    logic.objects.rename(1, "spleen")
    assert name_of(logic, 1) == "spleen"
    logic.undo()
    assert logic.prompts.name(1) == name_of(logic, 1) == "liver"
    logic.redo()
    assert logic.prompts.name(1) == name_of(logic, 1) == "spleen"


def test_names_and_empty_objects_ask_for_no_new_answer(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.pump()
    logic.objects.rename(1, "liver")
    logic.objects.add("spleen")
    logic.objects.remove(2)
    logic.pump()
    assert len(client.requests) == 1 and content(logic, 1).sum() == 8
    client.paused = True
    logic.add(click(logic, (5, 5, 5)))
    logic.objects.rename(1, "kidney")
    client.paused = False
    logic.pump()
    assert content(logic, 1).sum() == 9


def test_a_removed_objects_segment_goes_at_once(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    add_boxes(logic, [box_kji(logic, (n, n, n), (n + 2, n + 2, n + 2)) for n in (0, 5)])
    logic.pump()
    client.paused = True
    logic.objects.remove(2)
    assert logic.segments.node.GetSegmentation().GetNumberOfSegments() == 1
    assert content(logic, 1).sum() == 8


def test_a_new_object_never_gets_what_was_painted_for_a_removed_one(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_volume(plain)
    add_boxes(logic, [box_kji(logic, (n, n, n), (n + 2, n + 2, n + 2)) for n in (0, 5)])
    logic.objects.rename(2, "spleen")
    logic.pump()
    paint(logic, 2, Region((9, 9, 9), (10, 10, 10)))
    painted = logic.segments.ids[2]
    logic.objects.remove(2)
    logic.objects.add("liver")
    logic.add(box_kji(logic, (5, 5, 5), (6, 6, 6)), 2)
    logic.pump()
    assert logic.segments.ids[2] != painted and name_of(logic, 2) == "liver"
    assert content(logic, 2).sum() == 1
    left = logic.segments.node.GetSegmentation().GetSegment(painted)
    assert left is not None and left.GetName() == "spleen"


@pytest.mark.parametrize("what", ["undo", "add_object", "select", "add"])
def test_a_click_that_was_just_placed_is_not_lost(
    logic: SegmentationLogic, plain: Any, what: str
) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.objects.add("other")
    logic.objects.select(1)
    logic.pump()
    logic.view.draft("point").AddControlPointWorld(*click(logic, (5, 5, 5)).position_ras)
    if what == "undo":
        logic.undo()
        logic.redo()
    elif what == "add_object":
        logic.objects.add("third")
    elif what == "select":
        logic.objects.select(2)
    else:
        logic.add(click(logic, (3, 3, 3)))
    logic.pump()
    assert (1, click(logic, (5, 5, 5))) in logic.prompts.entries
    assert content(logic, 1)[5, 5, 5]


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


def test_a_lock_without_a_segment_is_refused_in_words(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(click(logic, (1, 1, 1)))
    scene.RemoveNode(logic.segments.node)
    with pytest.raises(MaskError, match="Segment_1 has no segment to lock yet"):
        logic.objects.set_locked(1, True)


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
