"""Detection of cases that have changed since earlier results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...datasets.cases import Case
from ...datasets.challenge_npz import DEFAULT_SPACING_ORDER

# A shared folder serves many requests at once about as fast as one.
_THREADS = 16


def case_digests(cases: Sequence[Case]) -> dict[str, str | None]:
    """The `case_digest` of each case by its name."""
    with ThreadPoolExecutor(_THREADS) as threads:
        marks = threads.map(case_digest, cases)
        return {case.name: mark for case, mark in zip(cases, marks, strict=True)}


def case_digest(case: Case) -> str | None:
    """A digest of the objects, modality, paths as given, sizes and times of a case's files.

    The contents of the files are not read. None if a file does not exist.
    """
    try:
        files = [_described(path, case.folder) for path in case.files]
    except OSError:
        return None
    facts: list[object] = [case.modality, case.objects, files]
    if case.spacing_order != DEFAULT_SPACING_ORDER:
        facts.append(case.spacing_order)
    if case.images is not None:
        images = case.images
        facts.append([list(images.choices.items()), images.primary, images.resample])
    text = json.dumps(facts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _described(path: Path, folder: Path) -> list[object]:
    """The path as given, and name, size and time of the file, or of all files of the folder."""
    given = path.relative_to(folder) if path.is_relative_to(folder) else path
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return [given.as_posix(), states]
