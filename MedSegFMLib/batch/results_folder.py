"""The folder of a batch: what earlier runs left, and what this one adds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CasesError
from ..system.atomic_files import make_folder, remove_leftovers, write_bytes, write_text
from ..system.json_files import load_json
from ..tasks.csv_files import append_records, read_records, write_records
from ..tasks.records import ALL_CASES, Failure, Outcome
from .digests import digest_of_files
from .records import FailedCase, Job, ObjectRow, Segmented, SliceRow

_FORMAT = "medsegfm-batch"
# Series and studies of a patient, which messages about DICOM may name.
_UID = re.compile(r"\b\d+(?:\.\d+){4,}\b")
PICTURES = "pictures"


class BatchFolder:
    """results.csv, slices.csv, failures.csv and pictures/ of a folder, for one run at a time.

    Results are appended as they come, and sorted at the end, the worst first. batch.json lists the
    outputs that runs have begun, so that no other file is ever replaced.

    Args:
        folder: the folder.
        jobs: the jobs of this run.
        digests: what each is made from, by name; empty if that cannot be read.

    Raises:
        CasesError: the folder has damaged results.
        OutputError: it cannot be written to.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job], digests: Mapping[str, str]) -> None:
        self._folder = folder
        self._paths = {kind: folder / name for kind, name in _FILES.items()}
        make_folder(folder, "choose another with --out")
        remove_leftovers(folder)
        self._jobs = {job.name: job for job in jobs}
        self._digests = digests
        self._begun = _read_begun(folder)
        self._rows: dict[str, list[ObjectRow]] = {}
        for row in read_records(self._paths[ObjectRow], ObjectRow):
            self._rows.setdefault(row.case, []).append(row)
        # A run that was killed may have written some rows of its last case.
        self._rows = {case: own for case, own in self._rows.items() if len(own) == own[0].objects}
        slices = read_records(self._paths[SliceRow], SliceRow)
        self._slices = [item for item in slices if item.case in self._rows]
        failures = read_records(self._paths[FailedCase], FailedCase)
        self._failures = {_key(f): f for f in failures if f.case not in self._rows}

    def is_done(self, job: Job) -> bool:
        """Whether the job is done, from the same inputs, and its output is there."""
        rows = self._rows.get(job.name)
        if not rows or not job.output.exists() or not self._digests.get(job.name):
            return False
        first = rows[0]
        same = first.inputs_sha256 == self._digests[job.name]
        return same and self._folder / first.output == job.output

    def is_edited(self, job: Job) -> bool:
        """Whether the output of a job was changed after it was written."""
        rows = self._rows.get(job.name)
        if not rows or self._folder / rows[0].output != job.output or not job.output.is_file():
            return False
        return digest_of_files(job.output) != rows[0].output_sha256

    def begin(self, missing: Sequence[Job]) -> list[Job]:
        """Drop what is known of jobs that are about to run; returns those that may run.

        A job fails here if its output is a file that no batch wrote.
        """
        allowed = []
        for job in missing:
            refusal = self._refusal(job)
            if refusal:
                self._keep(FailedCase(job.name, job.model, refusal))
                continue
            allowed.append(job)
            self._rows.pop(job.name, None)
            self._failures.pop((job.name, ""), None)
        names = {job.name for job in allowed}
        self._slices = [item for item in self._slices if item.case not in names]
        for model in {job.model for job in missing}:
            self._failures.pop((ALL_CASES, model), None)
        # In this order: nothing is known of an output any more once it may be written.
        self.write()
        self._begun |= {self._name(job.output) for job in allowed}
        document = {"format": _FORMAT, "version": 1, "outputs": sorted(self._begun)}
        write_text(self._folder / "batch.json", json.dumps(document, indent=1))
        return allowed

    def add(self, outcome: Outcome) -> None:
        """Store what became of a job; the last failure of a job counts."""
        if isinstance(outcome, Segmented):
            case = outcome.case
            digest = self._digests.get(case, "")
            output = self._name(self._jobs[case].output)
            rows = [replace(r, inputs_sha256=digest, output=output) for r in outcome.rows]
            self._rows[case] = rows
            self._failures.pop((case, ""), None)
            self._slices += outcome.slices
            if outcome.picture:
                make_folder(self._folder / PICTURES, "choose another with --out")
                write_bytes(self._folder / picture_name(case), outcome.picture)
            append_records(outcome.slices, self._paths[SliceRow], SliceRow)
            append_records(rows, self._paths[ObjectRow], ObjectRow)
        elif isinstance(outcome, Failure):
            reason = self._without_names(outcome)
            failed = FailedCase(outcome.case, outcome.model, reason)
            self._keep(failed)
            append_records([failed], self._paths[FailedCase], FailedCase)

    def write(self) -> None:
        """Rewrite the tables, the worst objects and slices first."""
        rows = [row for own in self._rows.values() for row in own]
        write_records(worst_first(rows), self._paths[ObjectRow], ObjectRow)
        slices = sorted(self._slices, key=lambda item: -item.wrong_mm2)
        write_records(slices, self._paths[SliceRow], SliceRow)
        write_records(self._failures.values(), self._paths[FailedCase], FailedCase)

    def listed(self) -> tuple[list[ObjectRow], list[FailedCase]]:
        """The rows of this run's jobs, the worst first, and their failures."""
        rows = [row for case, own in self._rows.items() if case in self._jobs for row in own]
        models = {job.model for job in self._jobs.values()}
        failures = [
            f
            for f in self._failures.values()
            if f.case in self._jobs or (f.case == ALL_CASES and f.model in models)
        ]
        return worst_first(rows), failures

    def _keep(self, failed: FailedCase) -> None:
        self._failures[_key(failed)] = failed

    def _refusal(self, job: Job) -> str:
        if not job.output.exists():
            return ""
        if self._name(job.output) not in self._begun:
            return (
                f"{self._name(job.output)} exists and is not of this batch; move it, or choose "
                "another folder with --out."
            )
        if self.is_edited(job):
            return (
                f"{self._name(job.output)} was changed after it was written, and so were its "
                "inputs; move it to have it made again."
            )
        return ""

    def _name(self, path: Path) -> str:
        inside = path.is_relative_to(self._folder)
        return (path.relative_to(self._folder) if inside else path).as_posix()

    def _without_names(self, failure: Failure) -> str:
        """A reason without UIDs and, for a case that the user named, without names of its files."""
        reason = _UID.sub("(UID)", failure.reason)
        job = self._jobs.get(failure.case)
        if job is None or not job.is_named:
            return reason
        paths = {str(path): f"(file {n} of {job.name})" for n, path in enumerate(job.inputs, 1)}
        paths[str(job.volume)] = f"(volume of {job.name})"
        for path in sorted(paths, key=len, reverse=True):
            # Files in a folder, such as slices, go with it.
            reason = re.sub(re.escape(path) + r"(?:[/\\][^\s,;]+)?", paths[path], reason)
        return reason


_FILES = {ObjectRow: "results.csv", SliceRow: "slices.csv", FailedCase: "failures.csv"}


def read_batch(folder: Path) -> tuple[list[ObjectRow], list[SliceRow], list[FailedCase]]:
    """The tables of a batch, the worst first.

    Raises:
        CasesError: the folder has none, or they are damaged.
    """
    if not (folder / _FILES[ObjectRow]).is_file():
        raise CasesError(
            f"{folder} has no results.csv of a batch; give the folder of medsegfm segment --out."
        )
    rows = worst_first(read_records(folder / _FILES[ObjectRow], ObjectRow))
    known = {row.case for row in rows}
    slices = read_records(folder / _FILES[SliceRow], SliceRow)
    failures = read_records(folder / _FILES[FailedCase], FailedCase)
    return (
        rows,
        sorted((s for s in slices if s.case in known), key=lambda item: -item.wrong_mm2),
        list({_key(f): f for f in failures if f.case not in known}.values()),
    )


def picture_name(case: str) -> str:
    """The picture of a case in the folder of its batch."""
    return f"{PICTURES}/{case}.jpg"


def worst_first(rows: Sequence[ObjectRow]) -> list[ObjectRow]:
    """Rows by expected Dice, the lowest first, and before them objects that were not found."""
    return sorted(rows, key=lambda row: _rank(row.expected_dice))


def _key(failed: FailedCase) -> tuple[str, str]:
    """A case fails once, and each model that cannot be loaded once."""
    return (failed.case, failed.model if failed.case == ALL_CASES else "")


def _rank(expected_dice: float) -> float:
    return -1.0 if math.isnan(expected_dice) else expected_dice


def _read_begun(folder: Path) -> set[str]:
    path = folder / "batch.json"
    if not path.exists():
        return set()
    try:
        document = load_json(path, dict)
        outputs = document["outputs"]
        if document["format"] != _FORMAT or not all(isinstance(o, str) for o in outputs):
            raise ValueError("another format")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CasesError(
            f"{path} is damaged or not of a batch; choose another folder with --out."
        ) from error
    return set(outputs)
