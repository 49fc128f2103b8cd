"""An adaptation from its cases to its end, with trainings that only pretend."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host.fake_training import FakeProgram
from waiting import wait_until

from MedSegFMLib.errors import OutputError, TrainingError
from MedSegFMLib.mrml.training.adaptation import Adapting, Phase, Plan
from MedSegFMLib.worker.training_process import Advanced


@pytest.fixture
def adapting() -> Iterator[Adapting]:
    made = Adapting(lambda _recipe, settings: FakeProgram("better", settings))
    yield made
    made.close()


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(tmp_path / "site", "b", "sam", 5)


def cases_in(folder: Path) -> Iterator[tuple[float, str]]:
    yield 0.0, "writing a"
    (folder / "cases").mkdir(parents=True)
    document = {"cases": [{"name": "a"}, {"name": "b"}]}
    (folder / "cases" / "cases.json").write_text(json.dumps(document))
    yield 0.5, "writing b"


def wait(adapting: Adapting, until: Callable[[], bool]) -> None:
    def is_so() -> bool:
        adapting.poll()
        return until()

    wait_until(is_so, describe=lambda: (adapting.phase, adapting.error))


def test_cases_are_written_a_little_at_a_time_and_then_it_trains(
    adapting: Adapting, plan: Plan
) -> None:
    adapting.start(plan, cases_in(plan.folder))
    with pytest.raises(TrainingError, match="goes on already"):
        adapting.start(plan, cases_in(plan.folder))
    seen = []
    for _ in range(3):
        assert adapting.poll()
        seen.append((adapting.phase, adapting.phrase))
    assert seen == [
        (Phase.PREPARING, "writing a"),
        (Phase.PREPARING, "writing b"),
        (Phase.TRAINING, "starting the training"),
    ]
    wait(adapting, lambda: not adapting.is_busy)
    assert adapting.phase is Phase.DONE, adapting.error
    assert adapting.result == plan.folder / "result" / "adapter"
    assert adapting.report["after"]["dice"] > adapting.report["before"]["dice"]


def test_cases_that_cannot_be_written_end_it_with_their_sentence(
    adapting: Adapting, plan: Plan
) -> None:
    def full() -> Iterator[tuple[float, str]]:
        yield 0.0, "writing a"
        raise OutputError("The disk is full; free some space.")

    adapting.start(plan, full())
    wait(adapting, lambda: not adapting.is_busy)
    assert (adapting.phase, adapting.error) == (Phase.FAILED, "The disk is full; free some space.")
    assert not adapting.can_resume
    with pytest.raises(TrainingError, match="no stopped training"):
        adapting.resume()


def test_cancel_while_cases_are_written_takes_them_away(adapting: Adapting, plan: Plan) -> None:
    closed = []

    def slow() -> Iterator[tuple[float, str]]:
        try:
            while True:
                yield 0.1, "writing a"
        finally:
            closed.append(True)

    adapting.start(plan, slow())
    adapting.poll()
    adapting.cancel()
    assert closed and adapting.phase is Phase.IDLE


def test_the_time_left_is_told_from_the_pace_of_the_steps(adapting: Adapting, plan: Plan) -> None:
    now = [0.0]
    adapting._clock = lambda: now[0]
    adapting.phase = Phase.TRAINING

    def step(seconds: float, fraction: float) -> Any:
        now[0] = seconds
        adapting._take(Advanced(fraction, "step"))
        return adapting.minutes_left

    assert step(0, 0.3) is None, "the base is scored"
    assert step(50, 0.9) is None
    assert step(100, 0.0) is None, "the steps begin"
    assert step(200, 0.1) is None, "the first is slow"
    assert step(260, 0.2) == pytest.approx(8)
    assert step(500, 0.6) == pytest.approx(4)
