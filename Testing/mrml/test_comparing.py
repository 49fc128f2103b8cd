"""When the planes are compared, what is kept of it, and what the user does with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import SessionClient, add_boxes, add_volume_node, content, paint

from MedSegFMLib import Box, Point, Region
from MedSegFMLib.errors import ModelError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import ConsistencyProgressed, ConsistencyReady, Written
from MedSegFMLib.worker.events import Failed, Progressed, Stopped


def kinds(updates: list[Any]) -> list[type]:
    return [type(update) for update in updates if isinstance(update, Written | ConsistencyReady)]


def block(logic: Any, start: int = 3, stop: int = 8) -> Box:
    return Box.from_ijk(logic.volume.geometry, (start,) * 3, (stop,) * 3)


@pytest.fixture
def boxed(logic: SegmentationLogic, plain: Any) -> SegmentationLogic:
    """A box that is answered and compared."""
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    logic.pump()
    return logic


def test_nothing_is_compared_unless_asked_for(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    logic.pump()
    assert logic.consistency.current is None and client.compared == [] and len(client.requests) == 1


def test_the_segment_comes_first_and_the_planes_after(logic: SegmentationLogic, plain: Any) -> None:
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    assert kinds(logic.pump()) == [Written]
    mask = content(logic, 1)
    assert mask.sum() == 125 and logic.consistency.current is None
    assert logic.consistency.is_measuring and not logic.is_predicting
    assert kinds(logic.pump()) == [ConsistencyReady]
    assert logic.consistency.current is not None and not logic.consistency.is_measuring
    assert np.array_equal(content(logic, 1), mask)


def test_a_comparison_writes_nothing_over_what_the_user_painted(
    boxed: SegmentationLogic, client: SessionClient
) -> None:
    client.paused = True
    boxed.consistency.switch(False)
    boxed.consistency.switch(True)
    paint(boxed, 1, Region((0, 0, 0), (2, 2, 2)))
    painted = content(boxed, 1)
    client.paused = False
    updates = boxed.pump()
    assert kinds(updates) == [ConsistencyReady]
    assert np.array_equal(content(boxed, 1), painted)


def test_switching_on_with_prompts_there_compares_them(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    logic.consistency.switch(True)
    assert logic.consistency.is_measuring
    logic.pump()
    assert logic.consistency.current is not None
    logic.consistency.switch(False)
    assert logic.consistency.current is None and not logic.consistency.is_measuring


def test_switching_off_stops_a_comparison_and_no_answer(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.consistency.switch(True)
    logic.set_volume(plain)
    client.paused = True
    logic.add(block(logic))
    logic.consistency.switch(False)
    assert logic.is_predicting
    logic.consistency.switch(True)
    client.paused = False
    logic.pump()
    client.paused = True
    assert logic.consistency.is_measuring
    logic.consistency.switch(False)
    assert not logic.consistency.is_measuring
    client.paused = False
    assert kinds(logic.pump()) == []


def test_a_newer_prompt_takes_the_place_of_a_comparison(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    client.paused = True
    logic.pump()
    late = client.answer(2, client.requests[1])
    logic.add(Point.from_ijk(logic.volume.geometry, (10, 9, 8)))
    client.late.append(late)
    client.paused = False
    assert kinds(logic.pump()) == [Written]
    assert logic.consistency.current is None
    assert kinds(logic.pump()) == [ConsistencyReady]
    assert [len(r.prompts.entries) for r in client.compared] == [1, 2]


def test_cancel_stops_a_comparison_and_keeps_the_segment(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    client.paused = True
    logic.cancel()
    updates = logic.pump()
    assert any(isinstance(update, Stopped) for update in updates)
    assert not logic.consistency.is_measuring and logic.consistency.current is None
    assert content(logic, 1).sum() == 125
    client.paused = False
    logic.add(Point.from_ijk(logic.volume.geometry, (10, 9, 8)))
    logic.pump()
    logic.pump()
    assert logic.consistency.current is not None


def test_states_that_undo_and_redo_bring_back_are_compared_again(
    boxed: SegmentationLogic,
) -> None:
    first = boxed.consistency.current
    boxed.add(Point.from_ijk(boxed.volume.geometry, (10, 9, 8)))
    boxed.pump()
    boxed.pump()
    second = boxed.consistency.current
    for step in (boxed.undo, boxed.redo):
        step()
        assert (
            boxed.consistency.current is None
            and boxed.consistency.is_measuring
            and not boxed.is_predicting
        )
        assert kinds(boxed.pump())[-1] is ConsistencyReady
        assert boxed.consistency.current is not None
        assert boxed.consistency.current not in (first, second)


def test_another_model_is_compared_after_its_answer(
    boxed: SegmentationLogic, client: SessionClient
) -> None:
    boxed.set_model("ellipsoid")
    assert boxed.consistency.current is None
    assert kinds(boxed.pump()) == [Written]
    assert kinds(boxed.pump()) == [ConsistencyReady]
    assert client.compared[-1].model == "ellipsoid" and boxed.consistency.current is not None


def test_a_name_or_another_object_does_not_ask_again(
    boxed: SegmentationLogic, client: SessionClient
) -> None:
    found = boxed.consistency.current
    boxed.objects.rename(1, "spleen")
    boxed.objects.add("liver")
    boxed.objects.select(1)
    boxed.pump()
    assert boxed.consistency.current is found and len(client.compared) == 1


def test_all_objects_are_compared_at_once(boxed: SegmentationLogic, client: SessionClient) -> None:
    add_boxes(boxed, [block(boxed, 0, 3), block(boxed, 8, 11)])
    boxed.pump()
    boxed.pump()
    found = []
    for label in boxed.prompts.labels:
        boxed.objects.select(label)
        found.append(boxed.consistency.current)
    assert len(client.compared) == 2 and len(set(map(id, found))) == 3 and None not in found


def test_a_volume_whose_prompts_come_back_is_compared(
    boxed: SegmentationLogic, scene: Any, plain: Any
) -> None:
    other = add_volume_node(scene, boxed.volume.crop(Region((0, 0, 0), (8, 8, 8))))
    boxed.set_volume(other)
    boxed.pump()
    assert boxed.consistency.current is None
    boxed.set_volume(plain)
    assert boxed.consistency.is_measuring
    boxed.pump()
    assert boxed.consistency.current is not None


def test_a_comparison_that_fails_leaves_the_segment_and_says_why(
    logic: SegmentationLogic, client: SessionClient, plain: Any, monkeypatch: Any
) -> None:
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    monkeypatch.setattr(
        client, "answer", lambda number, _request: Failed(number, ModelError("No memory left."))
    )
    updates = logic.pump()
    assert [str(u.error) for u in updates if isinstance(u, Failed)] == ["No memory left."]
    assert not logic.consistency.is_measuring and content(logic, 1).sum() == 125


def test_progress_of_a_comparison_is_its_own(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    client.paused = True
    client.late.append(Progressed(2, 0.5, "Loading the model", 1.0))
    updates = logic.pump()
    assert [u.fraction for u in updates if isinstance(u, ConsistencyProgressed)] == [0.5]
    assert not any(isinstance(u, Progressed) for u in updates)


def test_another_worker_is_asked_for_the_same_comparison(
    logic: SegmentationLogic, client: SessionClient, plain: Any
) -> None:
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    client.paused = True
    logic.requests.restart()
    client.paused = False
    logic.pump()
    assert logic.consistency.current is not None


def test_the_views_go_from_the_worst_spot_to_the_next_and_around(
    boxed: SegmentationLogic, scene: Any
) -> None:
    view = scene.AddNewNodeByClass("vtkMRMLSliceNode")
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    found = boxed.consistency.current
    assert found is not None and len(found.hot_spots) > 1 and boxed.consistency.spot is None
    for n in (*range(len(found.hot_spots)), 0):
        spot = boxed.consistency.go_to_next_spot()
        assert spot is found.hot_spots[n] and boxed.consistency.spot == n
        place = boxed.volume.geometry.ras_from_ijk(spot.click_kji[::-1])
        assert np.allclose(crosshair.GetCrosshairRAS(), place)
        at = [view.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
        normal = [view.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
        assert np.dot(normal, at) == pytest.approx(np.dot(normal, place))


def test_spots_begin_anew_with_each_comparison(boxed: SegmentationLogic) -> None:
    boxed.consistency.go_to_next_spot()
    boxed.consistency.go_to_next_spot()
    boxed.add(Point.from_ijk(boxed.volume.geometry, (10, 9, 8)))
    assert boxed.consistency.go_to_next_spot() is None and boxed.consistency.spot is None
    boxed.pump()
    boxed.pump()
    boxed.consistency.go_to_next_spot()
    assert boxed.consistency.spot == 0


def test_spots_begin_anew_where_a_removed_object_gives_way_to_another(
    boxed: SegmentationLogic,
) -> None:
    add_boxes(boxed, [block(boxed, 9, 12)])
    boxed.pump()
    boxed.pump()
    boxed.objects.select(1)
    boxed.consistency.go_to_next_spot()
    boxed.consistency.go_to_next_spot()
    boxed.objects.add("liver")
    boxed.objects.remove(boxed.current_label)
    assert boxed.current_label == 2 and boxed.consistency.current is not None
    assert boxed.consistency.spot is None
    assert boxed.consistency.go_to_next_spot() is boxed.consistency.current.hot_spots[0]


@pytest.mark.parametrize("belongs", [False, True])
def test_the_answer_to_a_doubt_is_a_prompt_like_any_other(
    boxed: SegmentationLogic, belongs: bool
) -> None:
    found = boxed.consistency.current
    assert found is not None and found.suggestion is not None
    spot, before = found.suggestion, boxed.prompts
    assert boxed.questions.answer_doubt(belongs)
    label, click = boxed.prompts.entries[-1]
    assert label == boxed.current_label and isinstance(click, Point)
    assert click.positive == belongs
    place = boxed.volume.geometry.ijk_from_ras(click.position_ras)[::-1]
    assert np.allclose(place, spot.click_kji, atol=1e-6)
    boxed.pump()
    assert content(boxed, 1)[spot.click_kji] == click.positive
    boxed.pump()
    moved = boxed.consistency.current
    assert moved is not None
    assert moved.suggestion is None or moved.suggestion.click_kji != spot.click_kji
    boxed.undo()
    assert boxed.prompts == before


def test_where_nothing_is_doubtful_there_is_nothing_to_answer(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    assert not logic.questions.answer_doubt(True) and len(logic.prompts.entries) == 1
    assert logic.consistency.go_to_next_spot() is None


def test_nothing_is_asked_for_a_model_that_takes_no_clicks(
    logic: SegmentationLogic, plain: Any
) -> None:
    logic.set_model("medsam")
    logic.consistency.switch(True)
    logic.set_volume(plain)
    logic.add(block(logic))
    logic.pump()
    logic.pump()
    assert (
        logic.consistency.current is not None and logic.consistency.current.suggestion is not None
    )
    assert logic.consistency.doubtful_position() is None and not logic.questions.answer_doubt(True)
    assert logic.consistency_view.doubt.node is None
    logic.set_model("ensam")
    logic.pump()
    logic.pump()
    assert logic.consistency.doubtful_position() is not None


def test_a_doubt_in_an_oblique_volume_is_where_the_map_says(
    logic: SegmentationLogic, volume_node: Any
) -> None:
    logic.consistency.switch(True)
    logic.set_volume(volume_node)
    logic.add(Box.from_ijk(logic.volume.geometry, (3, 4, 3), (7, 9, 6)))
    logic.pump()
    logic.pump()
    found = logic.consistency.current
    assert found is not None and found.suggestion is not None
    assert logic.questions.answer_doubt(found.suggestion.positive)
    logic.pump()
    kji = found.suggestion.click_kji
    assert content(logic, 1)[kji] == found.suggestion.positive
    in_region = tuple(n - s for n, s in zip(kji, found.region.start_kji, strict=True))
    assert found.disagreement_kji[in_region] > 0.3
