"""Who does what next in an evaluation: decisions alone, with workers that are only simulated."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from simulated_crew import SimulatedCrew

from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.evaluate.records import ALL_CASES, Crash, Done, Failure, Outcome, Task
from MedSegFMLib.evaluate.run.executor import Died, News, Ready, Refused
from MedSegFMLib.evaluate.run.run_tasks import work_off
from MedSegFMLib.evaluate.run.scheduler import Schedule
from MedSegFMLib.evaluate.run.time_left import Pace, in_words

HERE = Path()


def tasks_of(models: dict[str, int]) -> list[Task]:
    """So many tasks of each model."""
    return [
        Task(Case(f"{model}{n}", HERE, HERE, HERE, "CT", ()), model, 0)
        for model, count in models.items()
        for n in range(count)
    ]


def run(crew: SimulatedCrew, models: dict[str, int]) -> list[tuple[list[Task], Outcome]]:
    return list(work_off(Schedule(tasks_of(models), crew, crew.clock), crew))


def done_in(seconds: float) -> tuple[News, float]:
    return Done([], b"", seconds), seconds


class Faulty:
    """What tasks end in: the news listed for a case, one a try, then a second of work."""

    def __init__(self, **news: list[News]) -> None:
        self._news = news
        self.tries: list[str] = []

    def __call__(self, task: Task) -> tuple[News, float]:
        self.tries.append(task.case.name)
        left = self._news.get(task.case.name)
        return (left.pop(0), 0.5) if left else done_in(1.0)


def failure(reason: str = "A bad file.", kind: type[Failure] = Failure) -> Failure:
    return kind("a1", "a", 0, reason)


def test_a_worker_stays_with_its_model_so_that_loads_are_few() -> None:
    crew = SimulatedCrew(lambda task: done_in(1.0), {"gpu": 8})
    settled = run(crew, {"a": 100, "b": 100, "c": 40})
    assert sorted(task.case.name for tasks, _ in settled for task in tasks) == sorted(
        task.case.name for task in tasks_of({"a": 100, "b": 100, "c": 40})
    )
    # Eight workers, and few changes at the end of a model's cases; not one a task.
    assert len(crew.loads) <= 16
    assert crew.now < 240 / 8 + 5


def test_slow_models_get_more_workers() -> None:
    crew = SimulatedCrew(lambda task: done_in(10.0 if task.model == "slow" else 1.0), {"gpu": 10})
    run(crew, {"fast": 100, "slow": 100})
    # 1100 s of work for ten, and a tail that is shorter than two tasks.
    assert crew.now < 110 + 20


def test_models_without_use_for_a_gpu_leave_it_to_others() -> None:
    kinds = {"net": "gpu", "cut": "cpu"}
    crew = SimulatedCrew(lambda task: done_in(1.0), {"gpu": 1, "cpu": 3}, kinds)
    run(crew, {"net": 10, "cut": 30})
    assert Counter(crew.loads) == {"net": 1, "cut": 3} and crew.most_at_once == 4
    assert crew.now == pytest.approx(11)


def test_no_more_workers_start_than_tasks_wait() -> None:
    crew = SimulatedCrew(lambda task: done_in(1.0), {"gpu": 64})
    run(crew, {"a": 3})
    assert crew.loads == ["a"] * 3


@pytest.mark.parametrize("news", [failure(), failure(kind=Crash), Died("signal 9")])
@pytest.mark.parametrize("alone", [False, True])
def test_what_fails_once_is_tried_again_after_all_others(news: News, alone: bool) -> None:
    faulty = Faulty(a1=[news])
    settled = run(SimulatedCrew(faulty, {"gpu": 2}, alone=alone), {"a": 9})
    assert faulty.tries[-1] == "a1" and Counter(faulty.tries)["a1"] == 2
    # The first failure settles nothing; then every task is done.
    assert [len(tasks) for tasks, _ in settled].count(0) == 1
    assert all(isinstance(outcome, Done) for tasks, outcome in settled if tasks)


def test_what_fails_twice_has_failed_and_the_others_go_on() -> None:
    faulty = Faulty(a1=[Died("signal 9"), Died("signal 9")])
    settled = run(SimulatedCrew(faulty, {"gpu": 2}), {"a": 5})
    assert Counter(faulty.tries)["a1"] == 2
    failed = [outcome for tasks, outcome in settled if tasks and isinstance(outcome, Failure)]
    assert [one.case for one in failed] == ["a1"] and "signal 9" in failed[0].reason
    assert sum(len(tasks) for tasks, _ in settled) == 5


def test_on_one_machine_what_failed_is_tried_again_alone() -> None:
    died: News = Died("signal 9")
    at_once: list[int] = []

    class Noting(Faulty):
        def __call__(self, task: Task) -> tuple[News, float]:
            at_once.append(sum(what == "task" for what, _ in crew._since.values()))
            return super().__call__(task)

    crew = SimulatedCrew(Noting(a1=[died], a2=[died]), {"gpu": 3}, alone=True)
    run(crew, {"a": 6})
    assert crew.most_at_once == 3 and at_once[-2:] == [0, 0]


def test_after_what_nobody_foresaw_the_process_is_a_new_one() -> None:
    known, unforeseen = (
        SimulatedCrew(Faulty(a1=[news])) for news in (failure(), failure(kind=Crash))
    )
    run(known, {"a": 5})
    run(unforeseen, {"a": 5})
    assert (len(known.loads), len(unforeseen.loads)) == (1, 2)


@pytest.mark.parametrize("news", [Refused("No weights."), Died("signal 9")])
def test_a_model_that_cannot_be_loaded_is_one_failure(news: News) -> None:
    crew = SimulatedCrew(lambda task: done_in(1.0), {"gpu": 4})
    crew.opened = lambda model: (news if model == "b" else Ready(), 1.0)
    settled = run(crew, {"a": 20, "b": 1000})
    failures = [(len(tasks), one) for tasks, one in settled if isinstance(one, Failure)]
    assert [(n, one.case, one.model) for n, one in failures] == [(1000, ALL_CASES, "b")]
    assert sum(isinstance(one, Done) for _, one in settled) == 20
    assert crew.loads.count("b") <= 4 + 1


def test_a_model_that_cannot_be_loaded_has_failed_with_every_seed() -> None:
    crew = SimulatedCrew(lambda task: done_in(1.0), {"gpu": 1})
    crew.opened = lambda model: (Refused("No weights."), 1.0)
    tasks = [replace(task, seed=seed) for task in tasks_of({"a": 3}) for seed in (0, 1)]
    settled = list(work_off(Schedule(tasks, crew, crew.clock), crew))
    assert [(len(own), one.key) for own, one in settled if isinstance(one, Failure)] == [
        (3, (ALL_CASES, "a", 0)),
        (3, (ALL_CASES, "a", 1)),
    ]


def test_a_node_without_the_weights_does_not_stop_those_that_have_them() -> None:
    crew = SimulatedCrew(lambda task: done_in(1.0), {"gpu": 4})
    answers = iter([Ready(), Refused("No weights."), Refused("No weights."), Ready()])
    crew.opened = lambda model: (next(answers, Ready()), 0.1)
    assert all(isinstance(outcome, Done) for _, outcome in run(crew, {"a": 20}))


def test_the_tasks_of_a_lost_node_are_done_by_others() -> None:
    crew = SimulatedCrew(lambda task: done_in(10.0), {"gpu": 8}, node_size=4, node_dies_at=35.0)
    settled = run(crew, {"a": 80})
    assert sum(len(tasks) for tasks, _ in settled) == 80
    assert all(isinstance(outcome, Done) for tasks, outcome in settled if tasks)
    # Each of four lost what it had done of one task.
    assert crew.spent["task"] == pytest.approx(800) and 0 < crew.spent["lost"] < 40


def test_time_left_counts_a_slow_model_that_is_yet_to_come() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.seconds_left({"fast": 9}) is None
    pace.note("fast", 1.0)
    pace.note("slow", 9.0)
    now[0] = 5.0
    # Ten seconds of work in five: two workers.
    assert pace.seconds_left({"fast": 10, "slow": 10}) == pytest.approx(50)
    assert pace.seconds_left({"unknown": 4}) == pytest.approx(10)
    assert [in_words(seconds) for seconds in (0.2, 40, 700, 12000)] == [
        "1 s",
        "40 s",
        "12 min",
        "3 h 20 min",
    ]
