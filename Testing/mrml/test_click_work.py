"""A click is checked and shown once and stored at once; an idle pump does almost nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from scene_helpers import SessionClient

import MedSegFMLib
from MedSegFMLib.mrml.logic import SegmentationLogic

LIBRARY = str(Path(MedSegFMLib.__file__).parent)


class Calls:
    """The library's own calls while it is followed, as "file: function"."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __enter__(self) -> Calls:
        sys.setprofile(self._on_event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(LIBRARY):
            self.names.append(f"{Path(code.co_filename).name}: {code.co_qualname}")

    def count(self, name: str) -> int:
        return sum(name in found for found in self.names)


@pytest.fixture
def clicked(logic: SegmentationLogic, client: SessionClient, plain: Any) -> SegmentationLogic:
    logic.set_volume(plain)
    logic.view.draft("point").AddControlPointWorld(3, 8, 15)
    logic.pump()
    logic.pump()
    return logic


def test_a_click_is_checked_and_shown_once_and_stored_with_and_without_its_answer(
    clicked: SegmentationLogic, client: SessionClient
) -> None:
    client.paused = True
    with Calls() as calls:
        clicked.view.draft("point").AddControlPointWorld(6, 8, 15)
        clicked.pump()
        client.paused = False
        clicked.pump()
    assert len(clicked.prompts.entries) == 2
    assert sum(name == "interaction.py: Interaction.check" for name in calls.names) == 1
    assert sum(name == "view.py: PromptView.show" for name in calls.names) == 1
    assert sum(name == "scene_state.py: state_to_json" for name in calls.names) == 2


def test_nothing_of_consistency_runs_while_it_is_off(clicked: SegmentationLogic) -> None:
    with Calls() as calls:
        clicked.view.draft("point").AddControlPointWorld(6, 8, 15)
        clicked.pump()
        clicked.pump()
    assert calls.count("tracker.py") == 0 and calls.count("ConsistencyView") == 0


def test_an_idle_pump_only_polls_the_worker(clicked: SegmentationLogic) -> None:
    clicked.overlay.clear()
    clicked.pump()
    with Calls() as calls:
        assert clicked.pump() == []
    assert len(calls.names) == 2, calls.names


def test_a_click_is_in_the_scene_at_once_and_its_answer_too(
    clicked: SegmentationLogic, client: SessionClient, scene: Any, tmp_path: Path
) -> None:
    """A script may write the scene at any time; `WriteToMRB` and `Commit` announce nothing."""

    def stored() -> dict[str, Any]:
        document = json.loads(scene.GetFirstNodeByClass("vtkMRMLTextNode").GetText())
        assert isinstance(document, dict)
        return document

    client.paused = True
    clicked.view.draft("point").AddControlPointWorld(6, 8, 15)
    clicked.pump()
    assert len(stored()["prompts"]["prompts"]) == 2 and stored()["answered_by"] is None
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    assert (tmp_path / "scene.mrml").read_text().count("position_ras") == 2
    client.paused = False
    clicked.pump()
    assert stored()["answered_by"] == clicked.model


def test_a_click_that_was_not_taken_yet_is_stored_before_the_scene_is_saved(
    clicked: SegmentationLogic, client: SessionClient, scene: Any
) -> None:
    client.paused = True
    clicked.view.draft("point").AddControlPointWorld(6, 8, 15)
    scene.StartState(scene.SaveState)
    scene.EndState(scene.SaveState)
    text = scene.GetFirstNodeByClass("vtkMRMLTextNode").GetText()
    assert text.count("position_ras") == 2
