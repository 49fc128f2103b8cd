"""Run all cases with all models and seeds, here or on a cluster, continuing an earlier run."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...datasets.cases import Case
from ...model_choice import ModelChoice, read_choice
from ...progress import Progress, no_progress
from ...system.atomic_files import make_folder
from ...system.folder_lock import folder_lock
from ...tasks.records import Failure, Outcome
from ...tasks.run import Workers, run_all
from ...volumes.windows import Window
from ..instances import prompted_cases
from ..protocol import Protocol
from ..records import Row, Task
from ..results.results_folder import ResultsFolder
from .task import run_task


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
    window: Window | None = None,
) -> Finished:
    """Run the tasks that are not yet in `folder`/results.csv, and append each result to it.

    A task that fails is repeated once, then listed, also in failures.csv, and repeated by the next
    run; so are tasks whose files have changed or that are incomplete.

    Args:
        cases: the cases.
        models: each model with its weights and options, as `model_choice` reads them; its rows
            contain that text, without what is private.
        seeds: the seeds of the prompts, 0 or more.
        folder: the folder of the results.
        protocol: the protocol.
        jobs: the number of processes; by default one per core, and 1 runs in this process. With a
            cluster, the maximal number of workers of each kind.
        device: auto, cpu, gpu, cuda:N, xpu:N or mps.
        progress: reports progress; may raise Cancelled.
        ray: the address of a cluster, "auto" to find one, or "local" for one that lasts as long as
            the run; None for no cluster.
        window: the window of the pictures; None for the one that fits each.

    Returns:
        The rows and failures of the cases, including those of other models in earlier runs, in the
        order of cases, models, seeds and steps.

    Raises:
        ModelError, WeightsError: there is no such model.
        CasesError: the folder contains results of another protocol, or damaged ones.
        OutputError: the folder cannot be written to, or another run is writing to it.
        ClusterError: there is no such cluster.
    """
    cases = prompted_cases(cases, protocol)
    choices = {choice.text: choice for choice in map(read_choice, models)}
    advice = "choose another with --out"
    make_folder(folder, advice)
    with folder_lock(folder, f"or {advice}"):
        workers = Workers(jobs, device, ray)
        return _evaluate(cases, choices, seeds, folder, protocol, workers, progress, window)


def _evaluate(
    cases: Sequence[Case],
    choices: Mapping[str, ModelChoice],
    seeds: Sequence[int],
    folder: Path,
    protocol: Protocol,
    workers: Workers,
    progress: Progress,
    window: Window | None,
) -> Finished:
    results = ResultsFolder(folder, cases, protocol)
    tasks = list(itertools.starmap(Task, itertools.product(cases, choices, seeds)))
    missing = [task for task in tasks if task not in results]
    done, computed = len(tasks) - len(missing), 0
    progress(done / len(tasks), f"Evaluating, {done} of {len(tasks)} done")
    if missing:
        label_maps = folder.resolve() / "segs" if protocol.save_segs else None
        if label_maps is not None:
            make_folder(label_maps, "choose another with --out")
        work = functools.partial(run_task, protocol=protocol, label_maps=label_maps, window=window)
        executor = workers.executor(choices, work)
        results.begin(missing)

        def add(outcome: Outcome) -> None:
            if isinstance(outcome, Failure):
                outcome = replace(outcome, reason=choices[outcome.model].public(outcome.reason))
            results.add(outcome)

        computed = run_all(missing, len(tasks), executor, add, progress, "Evaluating")
        results.finish()
    return Finished(*results.listed_results(), computed, workers.machines)
