"""A further click is said to be of little help only after a click that changed little."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scene_helpers import SessionClient

from MedSegFMLib import Box, Point
from MedSegFMLib.consistency.lower_bound import LowerBound
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import Written
from MedSegFMLib.mrml.words import outcomes
from MedSegFMLib.worker.events import Event, Predicted, Request


class Calibrated(SessionClient):
    """Answers with a bound, as the default model does."""

    def answer(self, number: int, request: Request) -> Event:
        event = super().answer(number, request)
        assert isinstance(event, Predicted)
        bound = LowerBound(0.5)
        return Predicted(
            number, {n: replace(a, lower_bound=bound) for n, a in event.answers.items()}
        )


@pytest.fixture
def client() -> SessionClient:
    return Calibrated()


@pytest.fixture
def boxed(logic: SegmentationLogic, plain: Any) -> SegmentationLogic:
    """A box was answered, with 64 voxels."""
    logic.set_volume(plain)
    logic.add(Box.from_ijk(logic.volume.geometry, (2, 2, 2), (6, 6, 6)))
    logic.pump()
    return logic


def click(logic: SegmentationLogic, *ijk: int, positive: bool = True) -> Point:
    return Point.from_ijk(logic.volume.geometry, ijk, positive)


def is_said(logic: SegmentationLogic) -> bool:
    """Whether the sentence on the latest answer says that a further click helps little."""
    *_, written = [update for update in logic.pump() if isinstance(update, Written)]
    return "changed little" in outcomes.sentence(written, logic)


def test_it_is_said_after_a_click_that_changed_little(boxed: SegmentationLogic) -> None:
    boxed.add(click(boxed, 7, 3, 3))
    assert is_said(boxed)


@pytest.mark.parametrize(("ijk", "positive"), [((3, 3, 3), True), ((9, 9, 9), False)])
def test_it_is_not_said_after_a_click_on_what_is_right_already(
    boxed: SegmentationLogic, ijk: tuple[int, int, int], positive: bool
) -> None:
    boxed.add(click(boxed, *ijk, positive=positive))
    assert not is_said(boxed)


def test_it_is_not_said_of_a_change_that_came_from_no_new_click(boxed: SegmentationLogic) -> None:
    for ijk in ((7, 3, 3), (7, 4, 4)):
        boxed.add(click(boxed, *ijk))
        assert is_said(boxed)
    boxed.move(1, boxed.volume.geometry.ras_from_ijk((8, 3, 3)).tolist())
    assert not is_said(boxed)
    boxed.delete(1)
    assert not is_said(boxed)
    boxed.undo()
    boxed.predict()
    assert not is_said(boxed)


def test_it_is_not_said_of_a_click_on_another_object(boxed: SegmentationLogic) -> None:
    boxed.add(click(boxed, 7, 3, 3))
    boxed.pump()
    first = boxed.current_label
    second = boxed.objects.add()
    boxed.add(Box.from_ijk(boxed.volume.geometry, (9, 9, 6), (13, 13, 10)), second)
    boxed.pump()
    boxed.add(click(boxed, 5, 5, 5), second)
    boxed.objects.select(first)
    assert not is_said(boxed)
