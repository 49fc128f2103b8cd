"""The labelled cases to measure on, from a CASES.json or a folder of the challenge's npz files.

{"cases": [{"name", "image", "label", "modality", "objects": {"1": "liver", …}}]}, paths relative
to the file. Only the labels listed under `objects` are scored. An image may be an npz file of the
CVPR 2025 challenge (`challenge_npz`), whose labels are its own unless `label` names another file;
"spacing_order", "xyz" or "zyx", then tells which axes its spacing stands for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CasesError, MedSegFMError
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .challenge_npz import (
    DEFAULT_SPACING_ORDER,
    SPACING_ORDERS,
    VoxelBox,
    is_challenge_file,
    read_boxes,
    read_image,
    read_labels,
    read_objects,
    read_spacing,
)

# What the names of the challenge's files begin with.
_MODALITIES = ("CT", "MR", "PET", "US", "Microscopy")


@dataclass(frozen=True)
class Case:
    """A labelled volume. objects: (label, name) of what is scored, in the order of the file.

    folder: where the file lies that names image and label, and what their paths begin with unless
    they were given as absolute. spacing_order: of an npz file, "xyz" or "zyx".
    """

    name: str
    folder: Path
    image: Path
    label: Path
    modality: str
    objects: tuple[tuple[int, str], ...]
    spacing_order: str = DEFAULT_SPACING_ORDER


@dataclass(frozen=True)
class LoadedCase:
    """The volumes of a case on one grid; `resampled` tells that the label was on another.

    boxes: by label, half-open voxel bounds (k, j, i), of an npz file, which may lack some or all;
    None where the image is no such file.
    stored: the spacing as it stands in an npz file; None where the image is no such file.
    """

    image: Volume
    label: Volume
    resampled: bool
    boxes: Mapping[int, VoxelBox] | None = None
    stored: tuple[float, float, float] | None = None

    @property
    def stored_spacing(self) -> tuple[float, float, float]:
        """The three numbers in the file of the challenge; (i, j, k) in one made of this image."""
        return self.stored or self.image.geometry.spacing_ijk_mm


def read_cases(path: Path) -> list[Case]:
    """The cases of a file, or of the npz files of a folder with all labels in each.

    Raises CasesError where it cannot be used or a name stands twice.
    """
    if path.is_dir():
        return challenge_cases(path)
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


def challenge_cases(
    folder: Path, labels: Path | None = None, spacing_order: str = DEFAULT_SPACING_ORDER
) -> list[Case]:
    """A case for each npz file of a folder, with all its labels; the name tells the modality.

    labels: the folder with the files of the same names that hold the labels; None where they are in
    those of the images. Every file's labels are read. Raises CasesError for a folder without such
    files, and for one that cannot be used.
    """
    files = sorted(path for path in folder.iterdir() if is_challenge_file(path))
    if not files:
        raise CasesError(f"{folder} holds no npz files; give a CASES.json or another folder.")
    return [
        challenge_case(path, labels / path.name if labels else path, spacing_order)
        for path in files
    ]


def challenge_case(image: Path, label: Path, spacing_order: str) -> Case:
    """The case of an npz file, named like it, with all labels of the file `label`."""
    try:
        objects = read_objects(label)
    except MedSegFMError as error:
        raise CasesError(f"Case {image.stem}: {error}") from error
    if not objects:
        raise CasesError(f"Case {image.stem}: {label} holds no label above 0; leave it out.")
    modality = image.stem.split("_")[0]
    return Case(
        image.stem,
        image.parent,
        image,
        label,
        modality if modality in _MODALITIES else "unknown",
        tuple(objects.items()),
        spacing_order,
    )


def load_case(case: Case) -> LoadedCase:
    """Read image and label; a label on another grid is brought to the image's, nearest voxel.

    Raises CasesError, naming the case, where a file cannot be read, the grids do not overlap or a
    listed label is nowhere.
    """
    try:
        loaded = _loaded(case)
        loaded.image.intensity_range()
    except MedSegFMError as error:
        raise CasesError(f"Case {case.name}: {error}") from error
    absent = [name for value, name in case.objects if not (loaded.label.array_kji == value).any()]
    if absent:
        raise CasesError(
            f"Case {case.name}: no voxel of {case.label} is labelled {', '.join(absent)}."
        )
    return loaded


def _loaded(case: Case) -> LoadedCase:
    is_npz = is_challenge_file(case.image)
    image = read_image(case.image, case.spacing_order) if is_npz else Volume.read(case.image)
    if is_challenge_file(case.label):
        label = read_labels(case.label, image.geometry)
    else:
        label = Volume.read(case.label)
    resampled = not label.geometry.matches(image.geometry)
    if resampled:
        if not _overlap(label.geometry, image.geometry):
            raise CasesError(
                f"{case.label} lies beside {case.image} in the patient, without overlap; give the "
                "label of this image."
            )
        label = label.resample(image.geometry, order=0)
    if not is_npz:
        return LoadedCase(image, label, resampled)
    boxes = read_boxes(case.image, label.array_kji)
    return LoadedCase(image, label, resampled, boxes, read_spacing(case.image))


def _overlap(one: Geometry, other: Geometry) -> bool:
    """Whether the faces of two grids may enclose a common place; False is certain."""
    for a, b in ((one, other), (other, one)):
        corners_ijk = a.ijk_from_ras(b.ras_from_ijk(b.corners_ijk(0.5)))
        size_ijk = a.shape_kji[::-1]
        low, high = corners_ijk.min(axis=0), corners_ijk.max(axis=0)
        if any(h <= -0.5 or n - 0.5 <= w for w, h, n in zip(low, high, size_ijk, strict=True)):
            return False
    return True


def _case(item: Any, number: int, path: Path) -> Case:
    which = f"case {item.get('name', number) if isinstance(item, dict) else number}"
    try:
        image = path.parent / item["image"]
        own = item["image"] if is_challenge_file(image) else item["label"]
        case = Case(
            str(item["name"]),
            path.parent,
            image,
            path.parent / item.get("label", own),
            str(item["modality"]),
            tuple((int(label), str(name)) for label, name in item["objects"].items()),
            item.get("spacing_order", DEFAULT_SPACING_ORDER),
        )
    except KeyError as error:
        raise CasesError(f"{path}: {which} lacks {error}; see the user guide.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CasesError(
            f"{path}: {which} is not as a case should be ({error}); see the user guide."
        ) from error
    if case.spacing_order not in SPACING_ORDERS:
        raise CasesError(
            f"{path}: {which} has the spacing_order {case.spacing_order!r}; give "
            f"{' or '.join(SPACING_ORDERS)}."
        )
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
    return ", ".join(sorted(name for name, count in Counter(names).items() if count > 1))
