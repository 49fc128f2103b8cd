"""Models that take texts: those that know classes, and a phrase that alone gives a segment."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from host import class_model

from MedSegFMLib import Box, registry
from MedSegFMLib.errors import PromptError
from MedSegFMLib.worker.client import WorkerClient


@pytest.fixture
def classy(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The desk with the ball, and a model in its worker that knows "bright" and "very bright"."""
    monkeypatch.setitem(registry.MODELS, class_model.NAME, "")
    class_model.register()
    desk.use_client(lambda _host: WorkerClient(class_model.ClassLauncher()))
    parameters = desk.panel.parameters
    desk.panel.models.look_again()
    parameters.model = type(parameters.model)[class_model.NAME]
    desk.load()
    desk.wait(lambda: bool(desk.panel.logic.classes))
    return desk


def names(desk: Any) -> list[str]:
    return [name for _, name in desk.panel.logic.prompts.objects]


def test_one_button_makes_a_segment_of_each_class_in_one_step(classy: Any) -> None:
    ui = classy.ui
    assert not ui.classesButton.isHidden() and ui.classesButton.enabled
    assert "bright, very bright" in ui.classesButton.toolTip
    assert "Segment all classes of the model" in ui.promptHint.text
    assert ui.boxButton.isHidden() and not ui.textRow.isHidden()
    ui.classesButton.click()
    classy.wait()
    assert names(classy) == ["bright", "very bright"]
    assert ui.statusLabel.text.startswith("Done.") and len(classy.segment_names()) == 2
    both = classy.mask(1) | classy.mask(2)
    assert np.array_equal(both, classy.ball)
    ui.classesButton.click()
    classy.wait()
    assert names(classy) == ["bright", "very bright"], "what is named already is not named twice"
    ui.undoButton.click()
    classy.wait()
    assert not names(classy)


def test_a_text_alone_gives_a_segment_called_like_it(classy: Any) -> None:
    ui = classy.ui
    ui.textEdit.text = "bright"
    ui.textButton.click()
    classy.wait()
    assert names(classy) == ["bright"] and np.array_equal(classy.mask(), classy.ball)
    assert ui.promptTable.item(0, 0).text() == "Text" and not ui.textEdit.text
    ui.textEdit.text = "very bright"
    ui.textEdit.returnPressed.emit()
    classy.wait()
    assert names(classy) == ["bright", "very bright"], "another name is another segment"


def test_the_text_field_offers_the_names_and_refuses_others(classy: Any) -> None:
    ui = classy.ui
    completer = ui.textEdit.completer()
    completer.setCompletionPrefix("VERY")
    assert completer.currentCompletion() == "very bright"
    ui.textEdit.text = "liver"
    ui.textButton.click()
    assert "has no class 'liver'; its classes are bright, very bright" in ui.statusLabel.text
    assert not names(classy)


def test_tools_that_the_loaded_weights_do_not_take_are_put_away(
    classy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = replace(class_model.CARD, prompts=("text", "box"))
    monkeypatch.setattr(sys.modules["class_model_module"], "CARD", more)
    assert "box" in registry.card(class_model.NAME).prompts
    classy.panel.refresh()
    assert classy.ui.boxButton.isHidden()
    logic = classy.panel.logic
    with pytest.raises(PromptError, match="does not support box prompts"):
        logic.add(Box.from_ijk(logic.volume.geometry, (3, 3, 3), (8, 8, 8)))
    logic.requests.restart()
    classy.panel.refresh()
    assert not classy.ui.boxButton.isHidden(), "the card counts until the model is loaded"


def test_a_promptable_model_shows_no_classes(desk: Any) -> None:
    desk.load()
    assert desk.ui.classesButton.isHidden() and desk.ui.textRow.isHidden()
    assert "Draw a box" in desk.ui.promptHint.text


def test_the_classes_are_told_again_by_a_worker_that_took_over(classy: Any) -> None:
    classy.panel.logic.requests.restart()
    assert not classy.panel.logic.classes
    classy.ui.restartButton.click()
    classy.wait(lambda: bool(classy.panel.logic.classes))
