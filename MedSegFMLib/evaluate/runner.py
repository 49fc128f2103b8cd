"""All cases with all models, one process per core, going on where an earlier run stopped."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import MedSegFMError
from ..preview import COLOURS, Outline, draw_preview, write_preview
from ..progress import Progress, no_progress
from ..registry import create
from ..segmenter import Segmenter
from .cases import Case, load_case
from .protocol import Protocol, Row, run_case
from .results import check_same_protocol, read_rows, write_rows


@dataclass(frozen=True)
class Task:
    """One model on one case."""

    case: Case
    model: str

    @property
    def picture(self) -> str:
        """The file name of the task's picture."""
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in self.case.name)
        return f"{safe}--{self.model}.jpg"


@dataclass(frozen=True)
class Failure:
    """A task that could not be done, and why in one sentence."""

    case: str
    model: str
    reason: str


def evaluate(
    cases: Sequence[Case],
    models: Sequence[str],
    folder: Path,
    protocol: Protocol,
    jobs: int | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> tuple[list[Row], list[Failure]]:
    """Run what is not yet in `folder`/results.csv and write it there after every task.

    jobs: processes; one per core by default, where 1 runs in this process. Rows come back in the
    order of cases, models and steps, whatever the order in which they were made. A case that fails
    is listed, and tried again by the next run. Raises CasesError where the folder holds results of
    another protocol.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    check_same_protocol(folder, protocol)
    tasks = [Task(case, model) for case in cases for model in models]
    wanted = {(task.case.name, task.model) for task in tasks}
    kept = read_rows(folder / "results.csv")
    rows: dict[tuple[str, str], list[Row]] = {(row.case, row.model): [] for row in kept}
    for row in kept:
        rows[row.case, row.model].append(row)
    rows = {key: held for key, held in rows.items() if _complete(held, protocol)}
    missing = [task for task in tasks if (task.case.name, task.model) not in rows]
    failures: list[Failure] = []
    progress((len(tasks) - len(missing)) / len(tasks), "starting")
    for done, (task, outcome) in enumerate(_run(missing, pictures, protocol, jobs, device), 1):
        if isinstance(outcome, Failure):
            failures.append(outcome)
        else:
            rows[task.case.name, task.model] = outcome
            write_rows(_ordered(rows, tasks), folder / "results.csv")
        fraction = (len(tasks) - len(missing) + done) / len(tasks)
        progress(fraction, f"{task.case.name}, {task.model}")
    return [row for row in _ordered(rows, tasks) if (row.case, row.model) in wanted], failures


def _run(
    tasks: Sequence[Task], pictures: Path, protocol: Protocol, jobs: int | None, device: str
) -> Iterator[tuple[Task, list[Row] | Failure]]:
    jobs = min(jobs or len(os.sched_getaffinity(0)), max(1, len(tasks)))
    if jobs == 1:
        for task in tasks:
            yield task, _run_task(task, pictures, protocol, device)
        return
    # One thread each, so that processes do not fight for cores; read when their libraries load.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        try:
            futures = {
                pool.submit(_run_task, task, pictures, protocol, device): task for task in tasks
            }
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_loaded_models: dict[tuple[str, str], Segmenter] = {}


def _run_task(task: Task, pictures: Path, protocol: Protocol, device: str) -> list[Row] | Failure:
    try:
        # A process loads each model once.
        segmenter = _loaded_models.get((task.model, device)) or create(task.model, device)
        _loaded_models[task.model, device] = segmenter
        loaded = load_case(task.case)
        rows, masks = run_case(task.case, loaded, segmenter, protocol, no_progress)
    except MedSegFMError as error:
        return Failure(task.case.name, task.model, str(error))
    outlines = []
    for n, (value, name) in enumerate(task.case.objects):
        colour = COLOURS[n % len(COLOURS)]
        outlines.append(Outline(name, masks[n], colour))
        reference = loaded.label.array_kji == value
        outlines.append(Outline(f"{name}, reference", reference, colour, dashed=True))
    final = np.mean([row.dsc for row in rows if row.step == protocol.clicks])
    figure = draw_preview(loaded.image, outlines, title=f"{task.model}, Dice {final:.3f}")
    write_preview(figure, pictures / task.picture)
    return rows


def _complete(rows: Sequence[Row], protocol: Protocol) -> bool:
    return {row.step for row in rows} == set(range(protocol.clicks + 1))


def _ordered(rows: dict[tuple[str, str], list[Row]], tasks: Sequence[Task]) -> list[Row]:
    """Rows of the tasks in their order, then those of earlier runs with other models or cases."""
    keys = [(task.case.name, task.model) for task in tasks]
    keys += [key for key in rows if key not in set(keys)]
    return [row for key in keys for row in rows.get(key, [])]
