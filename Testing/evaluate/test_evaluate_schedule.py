"""Who does what next in an evaluation: decisions alone, with workers that are only simulated."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from simulated_executor import SimulatedExecutor

from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.evaluate.records import Done, Outcome, Task
from MedSegFMLib.tasks.executor import ModelFailed, Ready, WorkerDied, WorkerEvent
from MedSegFMLib.tasks.records import ALL_CASES, Crash, Failure
from MedSegFMLib.tasks.run_tasks import run_tasks
from MedSegFMLib.tasks.scheduler import Scheduler
from MedSegFMLib.tasks.time_left import TimeLeft, duration_text

HERE = Path()


def tasks_of(models: dict[str, int]) -> list[Task]:
    """So many tasks of each model."""
    return [
        Task(Case(f"{model}{n}", HERE, HERE, HERE, "CT", ()), model, 0)
        for model, count in models.items()
        for n in range(count)
    ]


def run(executor: SimulatedExecutor, models: dict[str, int]) -> list[tuple[list[Task], Outcome]]:
    return list(run_tasks(Scheduler(tasks_of(models), executor, executor.clock), executor))


def done_in(seconds: float) -> tuple[WorkerEvent, float]:
    return Done([], b"", seconds), seconds


class Faulty:
    """What tasks end in: the event listed for a case, one a try, then a second of work."""

    def __init__(self, **event: list[WorkerEvent]) -> None:
        self._news = event
        self.tries: list[str] = []

    def __call__(self, task: Task) -> tuple[WorkerEvent, float]:
        self.tries.append(task.case.name)
        left = self._news.get(task.case.name)
        return (left.pop(0), 0.5) if left else done_in(1.0)


def failure(reason: str = "A bad file.", kind: type[Failure] = Failure) -> Failure:
    return kind("a1", "a", 0, reason)


def test_a_worker_stays_with_its_model_so_that_loads_are_few() -> None:
    executor = SimulatedExecutor(lambda task: done_in(1.0), {"gpu": 8})
    settled = run(executor, {"a": 100, "b": 100, "c": 40})
    assert sorted(task.case.name for tasks, _ in settled for task in tasks) == sorted(
        task.case.name for task in tasks_of({"a": 100, "b": 100, "c": 40})
    )
    # Eight workers, and few changes at the end of a model's cases; not one a task.
    assert len(executor.loads) <= 16
    assert executor.now < 240 / 8 + 5


def test_slow_models_get_more_workers() -> None:
    executor = SimulatedExecutor(
        lambda task: done_in(10.0 if task.model == "slow" else 1.0), {"gpu": 10}
    )
    run(executor, {"fast": 100, "slow": 100})
    # 1100 s of work for ten, and a tail that is shorter than two tasks.
    assert executor.now < 110 + 20


def test_models_without_use_for_a_gpu_leave_it_to_others() -> None:
    resources = {"net": "gpu", "cut": "cpu"}
    executor = SimulatedExecutor(lambda task: done_in(1.0), {"gpu": 1, "cpu": 3}, resources)
    run(executor, {"net": 10, "cut": 30})
    assert Counter(executor.loads) == {"net": 1, "cut": 3} and executor.most_at_once == 4
    assert executor.now == pytest.approx(11)


def test_no_more_workers_start_than_tasks_wait() -> None:
    executor = SimulatedExecutor(lambda task: done_in(1.0), {"gpu": 64})
    run(executor, {"a": 3})
    assert executor.loads == ["a"] * 3


@pytest.mark.parametrize("event", [failure(), failure(kind=Crash), WorkerDied("signal 9")])
@pytest.mark.parametrize("alone", [False, True])
def test_what_fails_once_is_tried_again_after_all_others(event: WorkerEvent, alone: bool) -> None:
    faulty = Faulty(a1=[event])
    settled = run(SimulatedExecutor(faulty, {"gpu": 2}, alone=alone), {"a": 9})
    assert faulty.tries[-1] == "a1" and Counter(faulty.tries)["a1"] == 2
    # The first failure settles nothing; then every task is done.
    assert [len(tasks) for tasks, _ in settled].count(0) == 1
    assert all(isinstance(outcome, Done) for tasks, outcome in settled if tasks)


def test_what_fails_twice_has_failed_and_the_others_go_on() -> None:
    faulty = Faulty(a1=[WorkerDied("signal 9"), WorkerDied("signal 9")])
    settled = run(SimulatedExecutor(faulty, {"gpu": 2}), {"a": 5})
    assert Counter(faulty.tries)["a1"] == 2
    failed = [outcome for tasks, outcome in settled if tasks and isinstance(outcome, Failure)]
    assert [one.case for one in failed] == ["a1"] and "signal 9" in failed[0].reason
    assert sum(len(tasks) for tasks, _ in settled) == 5


def test_on_one_machine_what_failed_is_tried_again_alone() -> None:
    died: WorkerEvent = WorkerDied("signal 9")
    at_once: list[int] = []

    class Noting(Faulty):
        def __call__(self, task: Task) -> tuple[WorkerEvent, float]:
            at_once.append(sum(what == "task" for what, _ in executor._since.values()))
            return super().__call__(task)

    executor = SimulatedExecutor(Noting(a1=[died], a2=[died]), {"gpu": 3}, alone=True)
    run(executor, {"a": 6})
    assert executor.most_at_once == 3 and at_once[-2:] == [0, 0]


def test_after_what_nobody_foresaw_the_process_is_a_new_one() -> None:
    known, unforeseen = (
        SimulatedExecutor(Faulty(a1=[event])) for event in (failure(), failure(kind=Crash))
    )
    run(known, {"a": 5})
    run(unforeseen, {"a": 5})
    assert (len(known.loads), len(unforeseen.loads)) == (1, 2)


@pytest.mark.parametrize("event", [ModelFailed("No weights."), WorkerDied("signal 9")])
def test_a_model_that_cannot_be_loaded_is_one_failure(event: WorkerEvent) -> None:
    executor = SimulatedExecutor(lambda task: done_in(1.0), {"gpu": 4})
    executor.opened = lambda model: (event if model == "b" else Ready(), 1.0)
    settled = run(executor, {"a": 20, "b": 1000})
    failures = [(len(tasks), one) for tasks, one in settled if isinstance(one, Failure)]
    assert [(n, one.case, one.model) for n, one in failures] == [(1000, ALL_CASES, "b")]
    assert sum(isinstance(one, Done) for _, one in settled) == 20
    assert executor.loads.count("b") <= 4 + 1


def test_a_model_that_cannot_be_loaded_has_failed_with_every_seed() -> None:
    executor = SimulatedExecutor(lambda task: done_in(1.0), {"gpu": 1})
    executor.opened = lambda model: (ModelFailed("No weights."), 1.0)
    tasks = [replace(task, seed=seed) for task in tasks_of({"a": 3}) for seed in (0, 1)]
    settled = list(run_tasks(Scheduler(tasks, executor, executor.clock), executor))
    assert [(len(own), one.key) for own, one in settled if isinstance(one, Failure)] == [
        (3, (ALL_CASES, "a", 0)),
        (3, (ALL_CASES, "a", 1)),
    ]


def test_a_node_without_the_weights_does_not_stop_those_that_have_them() -> None:
    executor = SimulatedExecutor(lambda task: done_in(1.0), {"gpu": 4})
    answers = iter([Ready(), ModelFailed("No weights."), ModelFailed("No weights."), Ready()])
    executor.opened = lambda model: (next(answers, Ready()), 0.1)
    assert all(isinstance(outcome, Done) for _, outcome in run(executor, {"a": 20}))


def test_the_tasks_of_a_lost_node_are_done_by_others() -> None:
    executor = SimulatedExecutor(
        lambda task: done_in(10.0), {"gpu": 8}, node_size=4, node_dies_at=35.0
    )
    settled = run(executor, {"a": 80})
    assert sum(len(tasks) for tasks, _ in settled) == 80
    assert all(isinstance(outcome, Done) for tasks, outcome in settled if tasks)
    # Each of four lost what it had done of one task.
    assert executor.spent["task"] == pytest.approx(800) and 0 < executor.spent["lost"] < 40


def test_time_left_counts_a_slow_model_that_is_yet_to_come() -> None:
    now = [0.0]
    time_left = TimeLeft(lambda: now[0])
    assert time_left.seconds_left({"fast": 9}) is None
    time_left.note("fast", 1.0)
    time_left.note("slow", 9.0)
    now[0] = 5.0
    # Ten seconds of work in five: two workers.
    assert time_left.seconds_left({"fast": 10, "slow": 10}) == pytest.approx(50)
    assert time_left.seconds_left({"unknown": 4}) == pytest.approx(10)
    assert [duration_text(seconds) for seconds in (0.2, 40, 700, 12000)] == [
        "1 s",
        "40 s",
        "12 min",
        "3 h 20 min",
    ]
