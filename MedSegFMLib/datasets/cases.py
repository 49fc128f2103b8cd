"""Labelled cases for evaluation, from a CASES.json or a folder of the challenge's npz files.

{"cases": [{"name", "image", "label", "modality", "objects": {"1": "liver", …}}]}, paths relative to
the file. Only the labels listed under `objects` are scored. A case of several images has
"images": {NAME: FILE or FILE:N, …} in place of "image", and may have "primary": NAME (the first by
default) and "resample": true; see `volumes.io.several`. An image may be an npz file of the CVPR
2025 challenge (`challenge_npz`), which contains its labels unless `label` names another file;
"spacing_order", "xyz" or "zyx", is then the order of the axes of its spacing. "instances": PHRASE
says that all labels are instances of one class, null that each is an object of its own; without it,
the `text_prompts` of an npz image say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CasesError, MedSegFMError, VolumeError
from ..system.json_files import load_json
from ..system.names import LARGEST_LABEL, name_fault, parse_label
from ..volumes.io.several import ImageFiles
from .challenge_npz import (
    DEFAULT_SPACING_ORDER,
    SPACING_ORDERS,
    cases_file,
    is_challenge_file,
    read_objects,
)
from .challenge_prompts import read_instances

# The prefixes of the challenge's file names.
_MODALITIES = ("CT", "MR", "PET", "US", "Microscopy")


@dataclass(frozen=True)
class Case:
    """A labelled volume.

    Attributes:
        name: its unique name.
        folder: the folder of the file that lists image and label; their paths begin with it unless
            they were given as absolute.
        image: the image file; of several images, the primary one.
        label: the label file.
        modality: the imaging modality.
        objects: (label, name) of the scored objects, in the order of the file.
        spacing_order: of an npz file, "xyz" or "zyx".
        images: all images if there are several; None for one.
        instances: the phrase of the class whose instances all labels are, as the list or the
            `text_prompts` of an npz file say; None if each label is an object of its own.
        phrasings: for each object the kind of words that it is called by, and the name that they
            stand for; empty if names are as the file has them.
    """

    name: str
    folder: Path
    image: Path
    label: Path
    modality: str
    objects: tuple[tuple[int, str], ...]
    spacing_order: str = DEFAULT_SPACING_ORDER
    images: ImageFiles | None = None
    instances: str | None = None
    phrasings: tuple[tuple[str, str], ...] = ()

    @property
    def is_npz(self) -> bool:
        """Whether the image is an npz file of the challenge."""
        return self.images is None and is_challenge_file(self.image)

    @property
    def files(self) -> list[Path]:
        """Every file or folder of the case."""
        images = [self.image] if self.images is None else list(self.images.paths.values())
        return [*images, self.label]


def read_cases(path: Path) -> list[Case]:
    """Read the cases of a file, or of a folder: of its cases.json, else of all its npz files.

    Raises:
        CasesError: the path cannot be used, or a name occurs twice.
    """
    if path.is_dir():
        listed = cases_file(path)
        return challenge_cases(path) if listed is None else read_cases(listed)
    try:
        document = load_json(path)
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise CasesError(f"{path} is not JSON text ({error}); see the user guide.") from error
    items = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise CasesError(f"{path} lacks the list 'cases'; see the user guide.")
    if not items:
        raise CasesError(f"{path} contains no cases.")
    cases = [_case(item, number, path) for number, item in enumerate(items, 1)]
    duplicates = _duplicates([case.name for case in cases])
    if duplicates:
        raise CasesError(f"{path} names {duplicates} twice; give each case a unique name.")
    return cases


def in_spacing_order(cases: Sequence[Case], order: str | None) -> list[Case]:
    """The cases with the order of the spacing that a user gave instead of those of npz files.

    Args:
        cases: the cases.
        order: "xyz" or "zyx"; None if the user gave none.
    """
    return [replace(case, spacing_order=order) if order and case.is_npz else case for case in cases]


def challenge_cases(
    folder: Path, labels: Path | None = None, spacing_order: str = DEFAULT_SPACING_ORDER
) -> list[Case]:
    """A case for each npz file of a folder, with all its labels and the modality of its name.

    The labels of every file are read.

    Args:
        folder: the folder of the images.
        labels: the folder of files of the same names that contain the labels; None if the images'
            files do.
        spacing_order: "xyz" or "zyx".

    Raises:
        CasesError: the folder has no npz files, or one of them cannot be used.
    """
    return [
        challenge_case(path, labels / path.name if labels else path, spacing_order)
        for path in npz_files(folder)
    ]


def npz_files(folder: Path) -> list[Path]:
    """The npz files of a folder, sorted.

    Raises:
        CasesError: there are none.
    """
    files = sorted(path for path in folder.iterdir() if is_challenge_file(path))
    if not files:
        raise CasesError(f"{folder} contains no npz files; use a CASES.json or another folder.")
    return files


def challenge_case(image: Path, label: Path, spacing_order: str) -> Case:
    """The case of an npz file, with its name and all labels of the file `label`.

    Raises:
        CasesError: the label file cannot be used or has no labels.
    """
    try:
        objects = read_objects(label, image)
        instances = read_instances(image)
    except MedSegFMError as error:
        raise CasesError(f"Case {image.stem}: {error}") from error
    if not objects:
        raise CasesError(f"Case {image.stem}: {label} has no label above 0; leave it out.")
    modality = image.stem.split("_")[0]
    return Case(
        image.stem,
        image.parent,
        image,
        label,
        modality if modality in _MODALITIES else "unknown",
        tuple(objects.items()),
        spacing_order,
        instances=instances,
    )


def _case(item: Any, number: int, path: Path) -> Case:
    given = item.get("name") if isinstance(item, dict) else None
    named = isinstance(given, str) and name_fault(given) is None
    which = f"case {given if named else number}"
    try:
        images = _images(item, path.parent)
        image = path.parent / item["image"] if images is None else images.main
        is_npz = images is None and is_challenge_file(image)
        default = item["image"] if is_npz else item["label"]
        case = Case(
            _text(item["name"]),
            path.parent,
            image,
            path.parent / item.get("label", default),
            _text(item["modality"]),
            tuple((_label(label), _text(name)) for label, name in item["objects"].items()),
            item.get("spacing_order", DEFAULT_SPACING_ORDER),
            images,
            _instances(item, image if is_npz else None),
        )
    except KeyError as error:
        raise CasesError(f"{path}: {which} lacks {error}; see the user guide.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CasesError(f"{path}: {which} is malformed ({error}); see the user guide.") from error
    if case.spacing_order not in SPACING_ORDERS:
        raise CasesError(
            f"{path}: {which} has the spacing_order {case.spacing_order!r}; use "
            f"{' or '.join(SPACING_ORDERS)}."
        )
    if not case.objects:
        raise CasesError(f"{path}: {which} lists no objects; add at least one label and its name.")
    unnamed = [label for label, name in case.objects if not name.strip()]
    if unnamed:
        raise CasesError(f"{path}: {which} has no name for label {unnamed[0]}; add one.")
    duplicates = _duplicates([name for _, name in case.objects])
    if duplicates:
        raise CasesError(f"{path}: {which} has {duplicates} twice; give each object a unique name.")
    return case


def _images(item: Any, folder: Path) -> ImageFiles | None:
    """The images of a case of several; None for one image."""
    if "images" not in item:
        return None
    if "image" in item:
        raise ValueError("it has both image and images; give one of them")
    places = {_text(name): _text(place) for name, place in item["images"].items()}
    primary, resample = item.get("primary"), item.get("resample", False)
    if not isinstance(resample, bool):
        raise TypeError(f"resample is {str(resample)[:60]!a} and must be true or false")
    return ImageFiles.of(places, None if primary is None else _text(primary), resample, folder)


def _instances(item: Any, npz: Path | None) -> str | None:
    """The phrase of the class whose instances all labels are; None if they are not.

    Args:
        item: the case in the list, whose "instances" counts before what the image says.
        npz: the image if it is an npz file, else None.
    """
    if "instances" not in item:
        # A file that cannot be read is an error of its case alone, once its image is read.
        with suppress(VolumeError):
            return None if npz is None else read_instances(npz)
        return None
    phrase = item["instances"]
    if phrase is None:
        return None
    if not isinstance(phrase, str) or not phrase.strip():
        raise TypeError(
            f"instances is {str(phrase)[:60]!a} and must be the phrase of the class, or null"
        )
    return _text(phrase).strip()


def _label(text: str) -> int:
    label = parse_label(text)
    if label is None:
        raise ValueError(f"the label {text[:20]!a} is not a whole number from 1 to {LARGEST_LABEL}")
    return label


def _text(value: Any) -> str:
    """A name, which becomes a cell of tables and a part of messages."""
    if not isinstance(value, str | int):
        raise TypeError(f"{str(value)[:60]!a} is not text")
    fault = name_fault(str(value))
    if fault is not None:
        raise ValueError(f"the name {str(value)[:60]!a} {fault}")
    return str(value)


def _duplicates(names: Sequence[str]) -> str:
    return ", ".join(sorted(name for name, count in Counter(names).items() if count > 1))
