"""What tells whether a case is still the one that earlier results belong to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...datasets.cases import Case
from ...datasets.challenge_npz import DEFAULT_SPACING_ORDER

# A shared folder answers many questions at once about as fast as one.
_THREADS = 16


def case_digests(cases: Sequence[Case]) -> dict[str, str | None]:
    """`case_digest` of each case, by its name."""
    with ThreadPoolExecutor(_THREADS) as threads:
        marks = threads.map(case_digest, cases)
        return {case.name: mark for case, mark in zip(cases, marks, strict=True)}


def case_digest(case: Case) -> str | None:
    """Changes with the objects, modality, paths as given, sizes and times of a case's files.

    The files' contents are not read. None where a file is not there, so that nothing can be told.
    """
    try:
        files = [_described(path, case.folder) for path in (case.image, case.label)]
    except OSError:
        return None
    told: list[object] = [case.modality, case.objects, files]
    if case.spacing_order != DEFAULT_SPACING_ORDER:
        told.append(case.spacing_order)
    text = json.dumps(told)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _described(path: Path, folder: Path) -> list[object]:
    """The path as given, and name, size and time of the file or of all files of the folder."""
    given = path.relative_to(folder) if path.is_relative_to(folder) else path
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return [given.as_posix(), states]
