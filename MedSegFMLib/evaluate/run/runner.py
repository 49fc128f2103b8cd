"""Run all cases with all models and seeds, here or on a cluster, continuing an earlier run."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.cases import Case
from ...model_choice import ModelChoice, read_choice
from ...progress import Progress, no_progress
from ...segmenter import Segmenter
from ...system.atomic_files import make_folder
from ...system.folder_lock import folder_lock
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
    """The results in the folder after a run, and the work of the run.

    Attributes:
        rows: the rows of the cases of the run.
        failures: the failures of these cases.
        done: the number of tasks that the run computed.
        machines: the machines of a cluster that computed them, as `environment.machine` describes
            them; empty without a cluster.
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
    """Run the tasks that are not yet in `folder`/results.csv, and append each result to it.

    A task that fails is repeated once, then listed, also in failures.csv, and repeated by the next
    run; so are tasks whose files have changed or that are incomplete.

    Args:
        cases: the cases.
        models: each model with its weights and options, as `model_choice` reads them; its rows
            contain that text.
        seeds: the seeds of the prompts, 0 or more.
        folder: the folder of the results.
        protocol: the protocol.
        jobs: the number of processes; by default one per core, and 1 runs in this process. With a
            cluster, the maximal number of workers of each kind.
        device: auto, cpu, cuda or cuda:N.
        progress: reports progress; may raise Cancelled.
        ray: the address of a cluster, "auto" to find one, or "local" for one that lasts as long as
            the run; None for no cluster.

    Returns:
        The rows and failures of the cases, including those of other models in earlier runs, in the
        order of cases, models, seeds and steps.

    Raises:
        ModelError, WeightsError: there is no such model.
        CasesError: the folder contains results of another protocol, or damaged ones.
        OutputError: the folder cannot be written to, or another run is writing to it.
        ClusterError: there is no such cluster.
    """
    choices = {choice.text: choice for choice in map(read_choice, models)}
    advice = "choose another with --out"
    make_folder(folder, advice)
    with folder_lock(folder, f"or {advice}"):
        return _evaluate(cases, choices, seeds, folder, protocol, jobs, device, progress, ray)


def _evaluate(
    cases: Sequence[Case],
    choices: Mapping[str, ModelChoice],
    seeds: Sequence[int],
    folder: Path,
    protocol: Protocol,
    jobs: int | None,
    device: str,
    progress: Progress,
    ray: str | None,
) -> Finished:
    results = ResultsFolder(folder, cases, protocol)
    tasks = list(itertools.starmap(Task, itertools.product(cases, choices, seeds)))
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
