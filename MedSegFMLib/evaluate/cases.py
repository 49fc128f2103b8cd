"""The labelled cases to measure on, from a CASES.json.

{"cases": [{"name", "image", "label", "modality", "objects": {"1": "liver", …}}]}, paths relative
to the file. Only the labels listed under `objects` are scored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CasesError, MedSegFMError
from ..volume import Volume


@dataclass(frozen=True)
class Case:
    """A labelled volume. objects: (label, name) of what is scored, in the order of the file."""

    name: str
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
        cases = [_case(item, path.parent) for item in document["cases"]]
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}).") from error
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CasesError(f"{path} is no list of cases ({error!r}); see the user guide.") from error
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CasesError(f"{path} names {', '.join(twice)} twice; give each case its own name.")
    if not cases:
        raise CasesError(f"{path} holds no cases.")
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


def _case(item: dict[str, Any], folder: Path) -> Case:
    return Case(
        str(item["name"]),
        folder / item["image"],
        folder / item["label"],
        str(item["modality"]),
        tuple((int(label), str(name)) for label, name in item["objects"].items()),
    )
