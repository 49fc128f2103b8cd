"""The folder of a run: the results of earlier runs, and additions to them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from ...datasets.cases import Case
from ...system.atomic_files import make_folder, write_bytes
from ...tasks.csv_files import append_records, read_records, write_records
from ...tasks.records import ALL_CASES, Failure, Key, Outcome
from ..protocol import Protocol
from ..records import Done, Row, Task
from .case_digest import case_digests
from .case_picture import picture_name
from .protocol_record import read_case_digests, write_protocol


class ResultsFolder:
    """results.csv, failures.csv and pictures/ of a folder, which one run at a time writes to.

    Earlier rows of `cases` that are incomplete, or of files that have changed, are dropped. New
    results are appended to the files at once; only `begin` and `finish` rewrite them, in the order
    of cases, models, seeds and steps.

    Args:
        folder: the folder.
        cases: the cases of the run.
        protocol: the protocol of the run.

    Raises:
        CasesError: the folder contains results of another protocol, or damaged ones.
        OutputError: it cannot be written to.
    """

    def __init__(self, folder: Path, cases: Sequence[Case], protocol: Protocol) -> None:
        self._pictures = folder / "pictures"
        self._rows_path, self._failures_path = folder / "results.csv", folder / "failures.csv"
        make_folder(self._pictures, "choose another with --out")
        before = read_case_digests(folder, protocol)
        self._rows: dict[Key, list[Row]] = {}
        for row in read_records(self._rows_path, Row):
            self._rows.setdefault(row.key, []).append(row)
        failures = read_records(self._failures_path, Failure)
        # A run that was interrupted leaves failures of tasks that it repeated successfully.
        self._failures = {item.key: item for item in failures if item.key not in self._rows}
        self._cases = [case.name for case in cases]
        self._models = list(dict.fromkeys(model for _, model, _ in self._rows))
        now = {name: mark or before.get(name, "") for name, mark in case_digests(cases).items()}
        listed = {case.name: case for case in cases}
        outdated = [
            key
            for key, own in self._rows.items()
            if (case := listed.get(key[0])) is not None
            and not (before.get(case.name) == now[case.name] and _is_complete(own, case, protocol))
        ]
        for key in outdated:
            del self._rows[key]
        # In this order: older rows must be gone before the new digests are written.
        if outdated:
            self._write()
        write_protocol(folder, protocol, {**before, **now})

    def __contains__(self, task: Task) -> bool:
        """Whether the task is done."""
        return task.key in self._rows

    def begin(self, tasks: Collection[Task]) -> None:
        """Drop the earlier failures of tasks that are about to run."""
        self._models = list(dict.fromkeys([*self._models, *(task.model for task in tasks)]))
        past = {task.key for task in tasks} | {
            key
            for key in self._failures
            if key[0] == ALL_CASES and key[1] in {task.model for task in tasks}
        }
        self._failures = {key: own for key, own in self._failures.items() if key not in past}
        self._write()

    def add(self, outcome: Outcome) -> None:
        """Store the outcome of a task; a task that is done no longer counts as failed."""
        if isinstance(outcome, Done):
            key = outcome.rows[0].key
            self._rows[key] = outcome.rows
            self._failures.pop(key, None)
            write_bytes(self._pictures / picture_name(key), outcome.picture)
            append_records(outcome.rows, self._rows_path, Row)
        elif isinstance(outcome, Failure):
            self._failures[outcome.key] = outcome
            append_records([outcome], self._failures_path, Failure)

    def finish(self) -> None:
        """Rewrite both files in order."""
        self._write()

    def listed_results(self) -> tuple[list[Row], list[Failure]]:
        """The rows and failures of this run's cases, in order, with those of earlier models."""
        listed = {*self._cases, ALL_CASES}
        rows = (self._rows[key] for key in self._in_order(self._rows) if key[0] in listed)
        failures = self._in_order(self._failures)
        return (
            list(itertools.chain.from_iterable(rows)),
            [self._failures[key] for key in failures if key[0] in listed],
        )

    def _write(self) -> None:
        rows = (self._rows[key] for key in self._in_order(self._rows))
        write_records(itertools.chain.from_iterable(rows), self._rows_path, Row)
        failures = [self._failures[key] for key in self._in_order(self._failures)]
        write_records(failures, self._failures_path, Failure)

    def _in_order(self, keys: Iterable[Key]) -> list[Key]:
        """Sort by case, with unlisted ones last, then model, then seed."""
        case_at, model_at = _places(self._cases), _places(self._models)
        return sorted(keys, key=lambda key: (case_at(key[0]), model_at(key[1]), key[2]))


def _places(names: Iterable[str]) -> Callable[[str], int]:
    """The position of each name; further names follow in the order in which they are requested."""
    places = {name: place for place, name in enumerate(names)}
    return lambda name: places.setdefault(name, len(places))


def _is_complete(rows: Sequence[Row], case: Case, protocol: Protocol) -> bool:
    rows_of: dict[str, list[Row]] = {name: [] for _, name in case.objects}
    for row in rows:
        rows_of.setdefault(row.object, []).append(row)
    return len(rows_of) == len(case.objects) and all(map(protocol.complete, rows_of.values()))
