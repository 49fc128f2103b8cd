"""Where a model of words asks, the scene shows numbered hot spots, and a click at one decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import words_model
from scene_helpers import SessionClient, add_volume_node, content
from words_model import two_balls

from MedSegFMLib import Text, registry
from MedSegFMLib.consistency.asking import asking
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import Warned
from MedSegFMLib.prompts.types import Point
from MedSegFMLib.worker.events import Request

BALLS = two_balls().array_kji > 50


class WordsClient(SessionClient):
    """Answers with a model that guesses the side, as the worker asks."""

    def model(self, request: Request) -> Any:
        model = words_model.WordsModel(guesses=True)
        return asking(model) if request.asks else model


@pytest.fixture
def logic(
    slicer_app: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SegmentationLogic]:
    """The logic with two balls, of which the left one was asked for."""
    monkeypatch.setitem(registry.MODELS, words_model.STAND_IN, "")  # type: ignore[arg-type]
    words_model.register()
    client = WordsClient()
    made = SegmentationLogic(
        scene, lambda _host: client, slicer_app.app_logic, slicer_app.terminologies_logic
    )
    made.set_model(words_model.STAND_IN)
    made.set_volume(add_volume_node(scene, two_balls(), "balls"))
    made.add(Text("left ball"))
    made.pump()
    yield made
    made.close()


def marks_in(scene: Any) -> dict[str, tuple[float, ...]]:
    """The hot spots in the scene: positions by label."""
    nodes = scene.GetNodesByClass("vtkMRMLMarkupsFiducialNode")
    nodes.UnRegister(None)
    found = {}
    for n in range(nodes.GetNumberOfItems()):
        node = nodes.GetItemAsObject(n)
        for point in range(node.GetNumberOfControlPoints()):
            if node.GetName() == "MedSegFM places":
                place = node.GetNthControlPointPositionWorld(point)
                found[node.GetNthControlPointLabel(point)] = tuple(place)
    return found


def click(logic: SegmentationLogic, at: int) -> None:
    """The mouse over a hot spot, and its button."""
    node = logic.consistency.places.marks.node
    assert node is not None
    node.GetDisplayNode().SetActiveControlPoint(at)
    node.InvokeEvent(node.PointStartInteractionEvent)
    logic.pump()
    logic.pump()


def test_a_question_is_numbered_hot_spots_and_no_segment(
    logic: SegmentationLogic, scene: Any
) -> None:
    question = logic.questions.place
    assert question is not None and not content(logic, 1).any()
    assert marks_in(scene) == {str(p.number): p.position_ras for p in question.places}
    # They are not the user's markups, and are not saved with the scene.
    assert not logic.consistency.places.marks.node.GetSaveWithScene()
    assert len(logic.prompts.entries) == 1


@pytest.mark.parametrize(("at", "half"), [(0, slice(0, 20)), (1, slice(20, 40))])
def test_a_click_at_a_hot_spot_decides_in_one_step(
    at: int, half: slice, logic: SegmentationLogic, scene: Any
) -> None:
    click(logic, at)
    wanted = np.zeros_like(BALLS)
    wanted[..., half] = BALLS[..., half]
    assert np.array_equal(content(logic, 1), wanted)
    assert logic.questions.place is None and not marks_in(scene)
    assert isinstance(logic.prompts.entries[-1][1], Point)
    assert logic.undo()
    logic.pump()
    assert logic.questions.place is not None and len(marks_in(scene)) == 2
    assert not content(logic, 1).any()
    assert logic.redo()
    logic.pump()
    assert np.array_equal(content(logic, 1), wanted) and not marks_in(scene)


def test_a_place_is_ruled_out_and_the_others_keep_their_numbers(
    logic: SegmentationLogic, scene: Any
) -> None:
    assert logic.questions.answer_place(1, is_there=False)
    logic.pump()
    assert set(marks_in(scene)) == {"2"}
    assert not logic.questions.answer_place(1) and logic.questions.answer_place(2)
    logic.pump()
    assert np.array_equal(content(logic, 1)[..., 20:], BALLS[..., 20:])


def test_the_hot_spots_are_those_of_the_current_object(
    logic: SegmentationLogic, scene: Any
) -> None:
    other = logic.objects.add("all")
    logic.add(Text("balls"))
    logic.pump()
    assert logic.current_label == other and not marks_in(scene)
    logic.objects.select(1)
    logic.pump()
    assert len(marks_in(scene)) == 2


def test_a_hot_spot_that_was_dragged_goes_back(logic: SegmentationLogic, scene: Any) -> None:
    before = marks_in(scene)
    marks = logic.consistency.places.marks
    # The mouse moved before its button was released; the answer is another question.
    marks.node.SetNthControlPointPositionWorld(0, 1, 2, 3)
    marks.picked = 9
    logic.pump()
    assert marks_in(scene) == before and marks.picked is None


def test_a_click_at_nothing_is_said_and_the_question_stays(
    logic: SegmentationLogic, scene: Any
) -> None:
    logic.add(Point.from_ijk(two_balls().geometry, (20, 2, 1)))
    sentences = [str(getattr(u, "error", u)) for u in logic.pump()]
    assert any("finds nothing at the click" in text for text in sentences)
    assert logic.undo()
    updates = logic.pump()
    assert not any(isinstance(update, Warned) for update in updates)
    assert len(marks_in(scene)) == 2


def test_hot_spots_leave_with_the_volume_and_with_another_model(
    logic: SegmentationLogic, scene: Any
) -> None:
    logic.set_volume(None)
    logic.pump()
    assert not marks_in(scene) and logic.questions.place is None


def test_views_are_brought_to_a_place(logic: SegmentationLogic, scene: Any) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSliceNode")
    logic.questions.go_to_place(2)
    assert logic.questions.place is not None
    at = [node.GetSliceToRAS().GetElement(n, 3) for n in range(3)]
    place = logic.questions.place.places[1].position_ras
    # A slice view moves along its own axis.
    assert any(abs(a - b) < 1e-3 for a, b in zip(at, place, strict=True))
