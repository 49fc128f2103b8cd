"""All cases with all models, one process per core, going on where an earlier run stopped."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from ..atomic import make_folder
from ..cases import Case
from ..progress import Progress, no_progress
from .fingerprint import fingerprint
from .processes import Died, run_in_processes
from .protocol import Protocol
from .protocol_file import read_fingerprints, write_protocol
from .records import Failure, Key, Row, Task
from .results import read_rows, write_rows
from .task import run_task

_Rows = dict[Key, list[Row]]


def evaluate(
    cases: Sequence[Case],
    models: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    protocol: Protocol,
    jobs: int | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> tuple[list[Row], list[Failure]]:
    """Run what is not yet in `folder`/results.csv and write it there after every task.

    jobs: processes; one per core by default, where 1 runs in this process. The rows of the cases
    come back, those that other models left there in earlier runs among them, in the order of
    cases, models, seeds and steps, whatever the order in which they were made. A task that fails is
    listed, and tried again by the next run; so is what was done on other files, or only in part.

    Raises CasesError where the folder holds results of another protocol or damaged ones,
    OutputError where it cannot be written to.
    """
    pictures = folder / "pictures"
    make_folder(pictures, "choose another with --out")
    rows = _kept_rows(folder, cases, protocol)
    all_models = list(dict.fromkeys([*(model for _, model, _ in rows), *models]))
    all_seeds = sorted({*(seed for _, _, seed in rows), *seeds})
    order = list(itertools.product((case.name for case in cases), all_models, all_seeds))
    others = [key for key in rows if key not in set(order)]
    tasks = list(itertools.starmap(Task, itertools.product(cases, models, seeds)))
    missing = [task for task in tasks if task.key not in rows]
    done = len(tasks) - len(missing)
    failures: dict[Key, Failure] = {}
    progress(done / len(tasks), f"{done} of {len(tasks)} done")
    with closing(_run(missing, pictures, protocol, jobs or _cores(), device)) as outcomes:
        for task, outcome in outcomes:
            if isinstance(outcome, Failure):
                failures[task.key] = outcome
            else:
                rows[task.key] = outcome
                write_rows(_in_order(rows, [*order, *others]), folder / "results.csv")
            done += 1
            progress(done / len(tasks), f"{done} of {len(tasks)} done")
    return _in_order(rows, order), [failures[t.key] for t in tasks if t.key in failures]


def _kept_rows(folder: Path, cases: Sequence[Case], protocol: Protocol) -> _Rows:
    """What earlier runs left, less the rows of `cases` that are not whole or of other files.

    Files that are not there at the moment count as unchanged.
    """
    before = read_fingerprints(folder, protocol)
    rows: _Rows = {}
    for row in read_rows(folder / "results.csv"):
        rows.setdefault(row.key, []).append(row)
    listed = {case.name: case for case in cases}
    now = {name: fingerprint(case) or before.get(name, "") for name, case in listed.items()}
    kept = {
        key: own
        for key, own in rows.items()
        if (name := key[0]) not in listed
        or (before.get(name) == now[name] and _complete(own, listed[name], protocol))
    }
    # In this order: once the new fingerprints stand there, no older row may.
    if kept != rows:
        write_rows(_in_order(kept, kept), folder / "results.csv")
    write_protocol(folder, protocol, {**before, **now})
    return kept


def _complete(rows: Sequence[Row], case: Case, protocol: Protocol) -> bool:
    names = [name for _, name in case.objects]
    wanted = itertools.product(names, range(protocol.clicks + 1))
    return sorted((row.object, row.step) for row in rows) == sorted(wanted)


def _run(
    tasks: Sequence[Task], pictures: Path, protocol: Protocol, jobs: int, device: str
) -> Generator[tuple[Task, list[Row] | Failure], None, None]:
    work = functools.partial(run_task, pictures=pictures, protocol=protocol, device=device)
    if jobs == 1:
        for task in tasks:
            yield task, work(task)
        return
    with closing(run_in_processes(tasks, work, jobs)) as outcomes:
        for task, outcome in outcomes:
            yield task, _failure(task, outcome) if isinstance(outcome, Died) else outcome


def _failure(task: Task, died: Died) -> Failure:
    code = died.exit_code or 0
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    return Failure(
        *task.key, f"The process died ({how}), even alone; the memory may not be enough for it."
    )


def _cores() -> int:
    """The cores that this process may use; not every system tells, and then all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(rows: _Rows, keys: Iterable[Key]) -> list[Row]:
    return [row for key in keys for row in rows.get(key, [])]
