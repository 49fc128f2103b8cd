"""Run the jobs of a batch that are not done, here, in processes or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import MedSegFMError
from ..progress import Progress, part_of
from ..results.ledger import weights_of
from ..system.atomic_files import make_folder
from ..system.folder_lock import folder_lock
from ..tasks.executor import Work
from ..tasks.run import Workers, run_all
from .digests import digests_of
from .records import BatchModel, FailedCase, Job, ObjectRow
from .results_folder import BatchFolder

_ADVICE = "choose another with --out"
# The part of the progress in which files are checked.
_CHECKING = 0.02


@dataclass(frozen=True)
class Finished:
    """The results in a folder for the jobs of a run.

    Attributes:
        rows: the objects, the worst first.
        failures: the cases that failed.
        done: the number of cases that were segmented now.
        skipped: the number of those that were done before.
        edited: those of them whose output was changed since.
    """

    rows: list[ObjectRow]
    failures: list[FailedCase]
    done: int
    skipped: int
    edited: list[str]


def run_batch(
    jobs: Sequence[Job],
    models: Mapping[str, BatchModel],
    folder: Path,
    work: Work,
    workers: Workers,
    progress: Progress,
) -> Finished:
    """Run what is not done, and write each result at once.

    A job that fails is repeated once, then listed in failures.csv, and repeated by the next run; so
    is one whose files, prompts, options or weights have changed.

    Args:
        jobs: the jobs.
        models: their models by text.
        folder: the folder of the results, made if it does not exist.
        work: segments a job with its model; see `tasks.executor.Work`.
        workers: where.
        progress: reports progress; may raise Cancelled.

    Raises:
        CasesError: the folder holds damaged results.
        OutputError: it cannot be written to, or another run uses it.
        ClusterError: there is no such cluster.
    """
    make_folder(folder, _ADVICE)
    with folder_lock(folder, f"or {_ADVICE}"):
        weights = {text: _weights(model) for text, model in models.items()}
        digests = digests_of(jobs, weights, part_of(progress, 0, _CHECKING))
        results = BatchFolder(folder, jobs, digests)
        missing = [job for job in jobs if not results.is_done(job)]
        unfinished = {job.name for job in missing}
        finished = [job for job in jobs if job.name not in unfinished]
        edited = [job.name for job in finished if results.is_edited(job)]
        allowed = results.begin(missing)
        done = 0
        if allowed:
            used = {job.model for job in allowed}
            executor = workers.executor({t: m for t, m in models.items() if t in used}, work)
            share = part_of(progress, _CHECKING, 1)
            total = len(finished) + len(allowed)
            done = run_all(allowed, total, executor, results.add, share, "Segmenting")
            results.write()
        return Finished(*results.listed(), done, len(finished), edited)


def _weights(model: BatchModel) -> str:
    """The SHA-256 of a model's weights; empty if they cannot be read, as loading them will say."""
    try:
        return str(weights_of(model.name, model.options))
    except MedSegFMError:
        return ""
