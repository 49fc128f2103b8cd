"""Objects of the scene logic: begun by boxes, named, removed and locked, with their segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import (
    SessionClient,
    add_boxes,
    box_kji,
    click,
    content,
    paint,
)

from MedSegFMLib import Region
from MedSegFMLib.errors import MaskError
from MedSegFMLib.mrml.logic import SegmentationLogic


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


def test_a_lock_without_a_segment_is_refused_in_words(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(click(logic, (1, 1, 1)))
    scene.RemoveNode(logic.segments.node)
    with pytest.raises(MaskError, match="Segment_1 has no segment to lock yet"):
        logic.objects.set_locked(1, True)
