"""Volume, prompts, answers and segments stay in step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import (
    SessionClient,
    block,
    box_kji,
    click,
    content,
    slicer_content,
)

from MedSegFMLib import Box, Lasso, Point, Scribble
from MedSegFMLib.errors import PromptError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import Written
from MedSegFMLib.prompts.voxels import box_region
from MedSegFMLib.registry import DEFAULT_MODEL
from MedSegFMLib.worker.events import Failed, Stopped


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


def test_reset_empties_segments_and_undo_fills_them(logic: SegmentationLogic, plain: Any) -> None:
    logic.set_volume(plain)
    logic.add(box_kji(logic, (0, 0, 0), (2, 2, 2)))
    logic.pump()
    logic.reset()
    assert not content(logic, 1).any() and logic.prompts.labels == (1,)
    logic.undo()
    assert content(logic, 1).sum() == 8


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
