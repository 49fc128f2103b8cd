"""All cases with all models and seeds, here or on a cluster, going on where a run stopped."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.cases import Case
from ...progress import Progress, no_progress
from ...segmenter import Segmenter
from ...system.atomic_files import make_folder
from ..model_choice import ModelChoice, read_choice
from ..protocol import Protocol
from ..records import Done, Failure, Outcome, Row, Task
from ..results.environment import usable_cores
from ..results.results_folder import ResultsFolder
from .executor import Executor
from .in_process import InProcessExecutor
from .process_pool import ProcessPool
from .run_tasks import run_tasks
from .scheduler import Scheduler
from .task import open_model, run_task
from .time_left import duration_text


@dataclass(frozen=True)
class Finished:
    """What stands in the folder after a run, and what the run did.

    rows, failures: of the cases of the run. done: tasks that it computed. machines: the computers
    of a cluster that did, as `environment.machine` describes them; none without one.
    """

    rows: list[Row]
    failures: list[Failure]
    done: int
    machines: list[dict[str, Any]]


def evaluate(
    cases: Sequence[Case],
    models: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    protocol: Protocol,
    jobs: int | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
    ray: str | None = None,
) -> Finished:
    """Run what is not yet in `folder`/results.csv, where it is added after every task.

    models: each NAME or NAME=WEIGHTS, what its rows are called. jobs: processes; one per core by
    default, where 1 runs in this process. ray: the address of a cluster, "auto" to find one, or
    "local" for one that lives as long as the run; jobs are then its workers at most.

    The rows of the cases come back, those that other models left there in earlier runs among them,
    in the order of cases, models, seeds and steps, whatever the order in which they were made; and
    so do the failures. A task that fails is tried once more, then listed, also in failures.csv, and
    tried again by the next run; so is what was done on other files, or only in part.

    Raises ModelError or WeightsError where there is no such model, CasesError where the folder
    holds results of another protocol or damaged ones, OutputError where it cannot be written to,
    ClusterError where there is no such cluster.
    """
    choices = {text: read_choice(text) for text in models}
    results = ResultsFolder(folder, cases, protocol)
    tasks = list(itertools.starmap(Task, itertools.product(cases, models, seeds)))
    missing = [task for task in tasks if task not in results]
    done, computed = len(tasks) - len(missing), 0
    machines: list[dict[str, Any]] = []
    progress(done / len(tasks), f"Evaluating, {done} of {len(tasks)} done")
    if missing:
        label_maps = folder.resolve() / "segs" if protocol.save_segs else None
        if label_maps is not None:
            make_folder(label_maps, "choose another with --out")
        work = functools.partial(run_task, protocol=protocol, label_maps=label_maps)
        executor = _executor(choices, work, jobs, device, ray, machines)
        results.begin(missing)
        scheduler = Scheduler(missing, executor)
        with closing(run_tasks(scheduler, executor)) as outcomes:
            for settled, outcome in outcomes:
                results.add(outcome)
                computed += isinstance(outcome, Done)
                done += len(settled)
                progress(done / len(tasks), _phrase(done, len(tasks), scheduler))
        results.finish()
    return Finished(*results.listed_results(), computed, machines)


def _executor(
    choices: Mapping[str, ModelChoice],
    work: Callable[[Task, Segmenter], Outcome],
    jobs: int | None,
    device: str,
    ray: str | None,
    machines: list[dict[str, Any]],
) -> Executor:
    load = functools.partial(open_model, choices=choices)
    if ray is not None:
        from .ray_executor import RayExecutor

        names = {text: choice.name for text, choice in choices.items()}
        return RayExecutor(load, work, device, ray, names, jobs, machines)
    jobs = jobs or usable_cores()
    if jobs == 1:
        return InProcessExecutor(load, work, device)
    return ProcessPool(load, work, device, jobs)


def _phrase(done: int, count: int, scheduler: Scheduler) -> str:
    left = scheduler.seconds_left()
    time_left = f", about {duration_text(left)} left" if left else ""
    return f"Evaluating, {done} of {count} done{time_left}"
