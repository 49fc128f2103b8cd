"""The panel asks where an object is: its list, its buttons, and a click at a number in a view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import words_model

from MedSegFMLib import registry
from MedSegFMLib.worker.client import WorkerClient

BALLS = words_model.two_balls().array_kji > 50


@pytest.fixture
def asked(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The desk with two balls, and a model in its worker that guesses which one is meant."""
    import slicer

    monkeypatch.setitem(registry.MODELS, words_model.STAND_IN, "")  # type: ignore[arg-type]
    words_model.register()
    desk.use_client(lambda _host: WorkerClient(words_model.WordsLauncher()))
    parameters = desk.panel.parameters
    desk.panel.models.look_again()
    parameters.model = type(parameters.model)[words_model.STAND_IN]
    volume = words_model.two_balls()
    slicer.util.addVolumeFromArray(volume.array_kji, volume.geometry.ijk_to_ras, "Balls")
    desk.wait()
    ui = desk.ui
    assert ui.placeQuestion.isHidden() and ui.placeList.isHidden()
    ui.textEdit.text = "left ball"
    ui.textButton.click()
    desk.wait(lambda: desk.panel.logic.questions.place is not None)
    return desk


def items(desk: Any) -> list[str]:
    return [desk.ui.placeList.itemText(n) for n in range(desk.ui.placeList.count)]


def test_the_question_names_the_object_and_lists_its_places(asked: Any) -> None:
    ui = asked.ui
    assert not ui.placeQuestion.isHidden() and "Where is left ball?" in ui.placeQuestion.text
    assert items(asked) == [
        "Place 1: 0.93 ml, probability 0.50",
        "Place 2: 0.26 ml, probability 0.50",
    ]
    assert not asked.mask().any()
    assert "choose its place" in ui.statusLabel.text


def test_the_chosen_place_is_shown_and_decided(asked: Any) -> None:
    import slicer

    ui = asked.ui
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    ui.placeList.setCurrentIndex(1)
    place = asked.panel.logic.questions.place.places[1]
    np.testing.assert_allclose(crosshair.GetCrosshairRAS(), place.position_ras)
    ui.placeHereButton.click()
    asked.wait()
    assert np.array_equal(asked.mask()[..., 20:], BALLS[..., 20:])
    assert not asked.mask()[..., :20].any()
    assert ui.placeQuestion.isHidden() and ui.placeHereButton.isHidden()
    ui.undoButton.click()
    asked.wait()
    assert not ui.placeQuestion.isHidden() and len(items(asked)) == 2


def test_not_here_leaves_the_other_places(asked: Any) -> None:
    asked.ui.placeNotHereButton.click()
    asked.wait()
    assert items(asked) == ["Place 2: 0.26 ml, probability 0.50"]


def test_a_click_with_the_usual_button_decides_too(asked: Any) -> None:
    ui = asked.ui
    assert not ui.positiveButton.isHidden() and ui.positiveButton.enabled
    ui.positiveButton.click()
    asked.click_in_view(asked.panel.logic.questions.place.places[0].position_ras)
    ui.positiveButton.click()
    asked.wait(lambda: asked.mask().any())
    assert np.array_equal(asked.mask()[..., :20], BALLS[..., :20])
