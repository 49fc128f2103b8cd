"""Conversion of cases between the CVPR 2025 challenge's npz files and volumes with a CASES.json."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.cases import Case
from ..datasets.challenge_boxes import VoxelBox
from ..datasets.challenge_npz import (
    DEFAULT_SPACING_ORDER,
    is_challenge_file,
    read_any_image,
    read_image,
    write_case,
)
from ..datasets.loading import load_case
from ..errors import CasesError, MedSegFMError, OutputError
from ..progress import Progress
from ..simulate import challenge_box
from ..system.atomic_files import atomic_folder, check_writable, write_text
from ..volumes.segmentations.files import has_segments
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume
from .conversion_notes import NpzImage, notes_on_npz, notes_on_several_images
from .protocol import BOX_MIDDLES, derive_seed

# The parameters of the challenge's boxes, in get_boxes.py.
_BOX_SEED, _BOX_JITTER, _BOX_SLICE_SIDE = 2025, 5, 256
_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".npz")


@dataclass(frozen=True)
class Npz:
    """How npz files are written.

    Attributes:
        spacing_order: "xyz" or "zyx".
        box_rule: the rule of the challenge, one of `protocol.BOX_MIDDLES`, by which each label
            gets a box; None for no boxes.
        window: the grey values that are mapped to 0 and 255; None keeps values and type.
    """

    spacing_order: str = DEFAULT_SPACING_ORDER
    box_rule: str | None = None
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Written:
    """The output of a conversion.

    Attributes:
        path: the file or folder that was written.
        notes: sentences about information that npz files do not contain.
    """

    path: Path
    notes: tuple[str, ...] = ()


def volumes_to_npz(cases: Sequence[Case], out: Path, settings: Npz, progress: Progress) -> Written:
    """Write each case as an npz file, into a new folder with a CASES.json, or as `out`.npz.

    Only a single case can be written as `out`.npz. `gts` contains only the objects of a case. If
    this fails, nothing is left behind.

    Raises:
        CasesError: a case cannot be read, or there are several cases for one file.
        OutputError: `out` cannot be written, or is not empty.
    """
    if is_challenge_file(out):
        if len(cases) > 1:
            raise CasesError(f"{out} is one file for {len(cases)} cases; give a folder.")
        _write_npz(cases[0], out, settings)
        return Written(out, notes_on_several_images(cases))
    with _new_folder(out) as folder:
        entries = []
        for n, case in enumerate(cases):
            progress(n / len(cases), f"Converting case {n + 1} of {len(cases)}")
            name = f"{_file_name(case)}.npz"
            _write_npz(case, folder / name, settings)
            order = {"spacing_order": settings.spacing_order}
            entries.append({**_entry(case, name), **order})
        _write_list(entries, folder / "cases.json")
    return Written(out, notes_on_several_images(cases))


def npz_to_volumes(
    cases: Sequence[Case],
    out: Path,
    progress: Progress,
    unlabelled: Sequence[Path] = (),
    spacing_order: str = DEFAULT_SPACING_ORDER,
) -> Written:
    """Write image and label map of each npz case as NIfTI, into a new folder with a CASES.json.

    If this fails, nothing is left behind.

    Args:
        cases: the cases.
        out: the new folder.
        progress: reports progress; may raise Cancelled.
        unlabelled: npz files without labels, of which only the images are written; without any
            case there is no CASES.json.
        spacing_order: that of the files without labels, "xyz" or "zyx".

    Raises:
        CasesError: a case cannot be read.
        VolumeError: a file without labels cannot be read.
        OutputError: `out` cannot be written, or is not empty.
    """
    _check_no_label_is_an_image([*(case.name for case in cases), *(p.stem for p in unlabelled)])
    count = len(cases) + len(unlabelled)
    with _new_folder(out) as folder:
        entries = []
        for n, path in enumerate(unlabelled, len(cases)):
            progress(n / count, f"Converting case {n + 1} of {count}")
            _storable(read_image(path, spacing_order)).write(folder / f"{path.stem}.nii.gz")
        for n, case in enumerate(cases):
            progress(n / count, f"Converting case {n + 1} of {count}")
            loaded, name = load_case(case), _file_name(case)
            _storable(loaded.image).write(folder / f"{name}.nii.gz")
            _storable(loaded.label).write(folder / f"{name}-label.nii.gz")
            entries.append({**_entry(case, f"{name}.nii.gz"), "label": f"{name}-label.nii.gz"})
        if entries:
            _write_list(entries, folder / "cases.json")
    bare = [f"{len(unlabelled)} of {count} files have no labels and are not in a cases.json."]
    images = [NpzImage.of(case) for case in cases]
    images += [NpzImage(path.stem, path, spacing_order) for path in unlabelled]
    return Written(out, (*notes_on_npz(images), *(bare if unlabelled else [])))


def list_npz(cases: Sequence[Case], out: Path) -> Written:
    """Write a CASES.json that lists npz files at their present paths.

    Raises:
        OutputError: it cannot be written.
    """
    check_writable(out)
    entries = [
        {
            **_entry(case, _path_from(out, case.image)),
            "label": _path_from(out, case.label),
            "spacing_order": case.spacing_order,
        }
        for case in cases
    ]
    _write_list(entries, out)
    return Written(out, notes_on_npz([NpzImage.of(case) for case in cases]))


def present_objects(label: Path, image: Path) -> tuple[tuple[int, str], ...]:
    """The labels above 0 in a file, with the names of its segments, or such as "label 7".

    Args:
        label: the file.
        image: the file of its image.

    Raises:
        CasesError: there are none.
    """
    try:
        if has_segments(label):
            segments = Segmentation.read(label, read_any_image(image).geometry).segments
            objects = tuple((each.label, each.name) for each in segments if each.voxels)
        else:
            values = np.unique(Volume.read(label).array_kji)
            objects = tuple((int(value), f"label {int(value)}") for value in values if value > 0)
    except MedSegFMError as error:
        raise CasesError(str(error)) from error
    if not objects:
        raise CasesError(f"{label} contains no label above 0; give the label map of the image.")
    return objects


def file_stem(path: Path) -> str:
    """A file's name without the ending of a volume."""
    for ending in _ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.name


def _write_npz(case: Case, path: Path, settings: Npz) -> None:
    loaded = load_case(case)
    values = [value for value, _ in case.objects]
    if min(values) < 1 or max(values) > np.iinfo(np.uint16).max:
        raise CasesError(
            f"Case {case.name}: it has the label {min(values) if min(values) < 1 else max(values)}"
            ", but labels in npz files are from 1 to 65535; give it another number."
        )
    kept = np.where(np.isin(loaded.label.array_kji, values), loaded.label.array_kji, 0)
    labels = kept.astype(np.uint8 if max(values) < 256 else np.uint16)
    middle = BOX_MIDDLES[settings.box_rule or "challenge"]
    boxes = None if settings.box_rule is None else _boxes(case, labels, middle)
    image = loaded.image.with_array(_windowed(loaded.image.array_kji, settings.window))
    order, names = settings.spacing_order, dict(case.objects)
    write_case(path, image, labels, names, order, boxes, middle, case.instances)


def _boxes(case: Case, labels: NDArray[Any], middle: str) -> dict[int, VoxelBox]:
    return {
        value: challenge_box(
            labels == value,
            _BOX_JITTER,
            derive_seed(_BOX_SEED, case.name, name, 0),
            _BOX_SLICE_SIDE,
            middle,
        )
        for value, name in case.objects
    }


def _windowed(voxels: NDArray[Any], window: tuple[float, float] | None) -> NDArray[Any]:
    if window is None:
        return voxels
    low, high = window
    scaled = (np.clip(voxels.astype(np.float32), low, high) - low) * (255 / (high - low))
    grey: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return grey


def _storable(volume: Volume) -> Volume:
    """A volume of a type that NIfTI supports: it has no bool and no 16-bit floats."""
    array = volume.array_kji
    if array.dtype == bool:
        return volume.with_array(array.astype(np.uint8))
    return volume.with_array(array.astype(np.float32)) if array.dtype == np.float16 else volume


def _entry(case: Case, image: str) -> dict[str, Any]:
    objects = {str(value): name for value, name in case.objects}
    entry = {"name": case.name, "image": image, "modality": case.modality, "objects": objects}
    return entry if case.instances is None else {**entry, "instances": case.instances}


def _write_list(entries: Sequence[dict[str, Any]], path: Path) -> None:
    write_text(path, json.dumps({"cases": entries}, indent=1, ensure_ascii=False))


def _file_name(case: Case) -> str:
    """The case's name if it is a valid file name, so that two cases never share a file name."""
    if not case.name.strip(". ") or set(case.name) & set('/\\:*?"<>|\0'):
        raise CasesError(
            f"The case '{case.name}' cannot be a file's name; name it without / \\ : * ? \" < > |."
        )
    return case.name


def _check_no_label_is_an_image(given: Sequence[str]) -> None:
    """Raise CasesError if the label map of one case would have the name of another's image."""
    names = set(given)
    taken = [name for name in names if f"{name}-label" in names]
    if taken:
        raise CasesError(
            f"There are cases '{taken[0]}' and '{taken[0]}-label', but the label map of the first "
            "takes the name of the second; rename one."
        )


def _path_from(out: Path, path: Path) -> str:
    return Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix()


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that is renamed to `out` at the end of the block, and removed if the block fails."""
    if not out.name:
        raise OutputError(f"{out} is the current folder; give the name of a new one.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists and is not an empty folder; choose another name.")
    check_writable(out.with_name(f"{out.name}-"))
    with atomic_folder(out) as beside:
        yield beside
