"""The labelled cases to measure on, from a CASES.json.

{"cases": [{"name", "image", "label", "modality", "objects": {"1": "liver", …}}]}, paths relative
to the file. Only the labels listed under `objects` are scored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CasesError, MedSegFMError
from .volume import Volume


@dataclass(frozen=True)
class Case:
    """A labelled volume. objects: (label, name) of what is scored, in the order of the file.

    folder: where the file lies that names image and label, and what their paths begin with unless
    they were given as absolute.
    """

    name: str
    folder: Path
    image: Path
    label: Path
    modality: str
    objects: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class LoadedCase:
    """The volumes of a case on one grid; `resampled` tells that the label was on another."""

    image: Volume
    label: Volume
    resampled: bool


def read_cases(path: Path) -> list[Case]:
    """The cases of a file; CasesError where it cannot be used or a name stands twice."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise CasesError(f"{path} is no JSON text ({error}); see the user guide.") from error
    items = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise CasesError(f"{path} lacks the list 'cases'; see the user guide.")
    if not items:
        raise CasesError(f"{path} holds no cases.")
    cases = [_case(item, number, path) for number, item in enumerate(items, 1)]
    twice = _twice([case.name for case in cases])
    if twice:
        raise CasesError(f"{path} names {twice} twice; give each case its own name.")
    return cases


def load_case(case: Case) -> LoadedCase:
    """Read image and label; a label on another grid is brought to the image's, nearest voxel.

    Raises CasesError, naming the case, where a file cannot be read or a listed label is nowhere.
    """
    try:
        image, label = Volume.read(case.image), Volume.read(case.label)
        image.intensity_range()
    except MedSegFMError as error:
        raise CasesError(f"Case {case.name}: {error}") from error
    resampled = not label.geometry.matches(image.geometry)
    if resampled:
        label = label.resample(image.geometry, order=0)
    absent = [name for value, name in case.objects if not (label.array_kji == value).any()]
    if absent:
        raise CasesError(
            f"Case {case.name}: no voxel of {case.label} is labelled {', '.join(absent)}."
        )
    return LoadedCase(image, label, resampled)


def _case(item: Any, number: int, path: Path) -> Case:
    which = f"case {item.get('name', number) if isinstance(item, dict) else number}"
    try:
        case = Case(
            str(item["name"]),
            path.parent,
            path.parent / item["image"],
            path.parent / item["label"],
            str(item["modality"]),
            tuple((int(label), str(name)) for label, name in item["objects"].items()),
        )
    except KeyError as error:
        raise CasesError(f"{path}: {which} lacks {error}; see the user guide.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CasesError(
            f"{path}: {which} is not as a case should be ({error}); see the user guide."
        ) from error
    if not case.objects:
        raise CasesError(f"{path}: {which} lists no objects; give at least one label and its name.")
    unnamed = [label for label, name in case.objects if not name.strip()]
    if unnamed:
        raise CasesError(f"{path}: {which} gives label {unnamed[0]} no name; give it one.")
    twice = _twice([name for _, name in case.objects])
    if twice:
        raise CasesError(f"{path}: {which} has {twice} twice; give each object its own name.")
    return case


def _twice(names: Sequence[str]) -> str:
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))
