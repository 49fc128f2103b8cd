"""The prompts in an npz file of the CVPR 2025 challenge: boxes, clicks, earlier result and texts.

`boxes` and `clicks` have one entry for each class, in the order of the labels: those of `gts`, or
from 1. An entry of `clicks` is {"fg": [[k, j, i], ...], "bg": [...]}, and `clicks_order`, if it is
there, has the words "fg" and "bg" of each class in the order of its clicks. `prev_pred` is the
label map before the last clicks. `text_prompts` is {"1": "liver", ..., "instance_label": 0}, with
1 if each label is an instance of one class. Pickles are parsed without unpickling
(`boxes_pickle`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VolumeError
from ..system.names import name_fault, parse_label
from ..system.npz_files import NpzArrays, open_npz
from .boxes_pickle import box_numbers, parse_boxes
from .numpy_objects import BoxesFault

_LARGEST_PICKLE = 1 << 25
_INSTANCE = "instance_label"

Click = tuple[tuple[int, int, int], bool]
"""The voxel (k, j, i), and whether it belongs to the object."""


@dataclass(frozen=True)
class FilePrompts:
    """The prompts of a file besides its boxes.

    Attributes:
        clicks: the clicks of each class in the order of the labels; None without any.
        previous_kji: (K, J, I) the label map before the last clicks; None without one.
        texts: the phrase of each label; empty without any.
        is_instances: whether each label is an instance of one class.
    """

    clicks: tuple[tuple[Click, ...], ...] | None = None
    previous_kji: NDArray[Any] | None = None
    texts: Mapping[int, str] = field(default_factory=dict)
    is_instances: bool = False


def read_prompts(path: Path) -> FilePrompts:
    """The prompts of a file.

    Raises:
        VolumeError: one of them cannot be read.
    """
    with open_npz(path, VolumeError, "copy or download it again") as arrays:
        try:
            clicks = _clicks(arrays) if "clicks" in arrays else None
            texts, is_instances = _texts(arrays)
        except BoxesFault as fault:
            raise VolumeError(
                f"{path}: its prompts cannot be read ({fault}); leave them out."
            ) from fault
        previous = arrays.read("prev_pred") if "prev_pred" in arrays else None
    if previous is not None and (previous.ndim != 3 or previous.dtype.kind not in "bui"):
        raise VolumeError(
            f"{path}: 'prev_pred' has the shape {previous.shape} of {previous.dtype}; a label map "
            "(D, H, W) of whole numbers is needed."
        )
    return FilePrompts(clicks, previous, texts, is_instances)


def read_texts(arrays: NpzArrays) -> dict[int, str]:
    """The phrase of each label in `text_prompts`; empty if there are none.

    Raises:
        BoxesFault: they cannot be read.
    """
    return _texts(arrays)[0]


def read_instances(path: Path) -> str | None:
    """The phrase of the class whose instances the labels of a file are; None if they are not.

    Raises:
        VolumeError: the texts cannot be read.
    """
    with open_npz(path, VolumeError, "copy or download it again") as arrays:
        try:
            texts, is_instances = _texts(arrays)
        except BoxesFault as fault:
            raise VolumeError(
                f"{path}: its text_prompts cannot be read ({fault}); leave them out."
            ) from fault
    return next(iter(texts.values())) if is_instances and texts else None


def unique_names(texts: Mapping[int, str]) -> dict[int, str]:
    """The phrases as names of objects; equal ones are numbered by their label."""
    given = list(texts.values())
    return {
        label: text if given.count(text) == 1 else f"{text} {label}"
        for label, text in texts.items()
    }


def text_prompts(objects: Mapping[int, str], instances: str | None) -> dict[str, Any]:
    """The `text_prompts` of a file; empty if no object has a name.

    Args:
        objects: the names by label. "label 7" for label 7 is none, and "lesion 7" is "lesion" if
            others are lesions, too (`unique_names`).
        instances: the phrase of the class whose instances all labels are; None if they are not.
    """
    if instances is not None:
        return {"1": instances, _INSTANCE: 1}
    bare = {label: name.removesuffix(f" {label}") for label, name in objects.items()}
    given = list(bare.values())
    phrases = {
        str(label): bare[label] if given.count(bare[label]) > 1 else name
        for label, name in objects.items()
        if name != f"label {label}" and name.strip() and not name_fault(name)
    }
    return {**phrases, _INSTANCE: 0} if phrases else {}


def _clicks(arrays: NpzArrays) -> tuple[tuple[Click, ...], ...]:
    entries = _items(arrays, "clicks")
    orders = _items(arrays, "clicks_order") if "clicks_order" in arrays else []
    return tuple(
        _in_order(entry, orders[n] if len(orders) == len(entries) else ())
        for n, entry in enumerate(entries)
    )


def _in_order(entry: Any, order: Any) -> tuple[Click, ...]:
    """The clicks of a class; without a usable order, those on the object first."""
    if type(entry) is not dict:
        raise BoxesFault("the clicks of a class are not a dict")
    by_kind = {kind: _voxels(entry.get(kind)) for kind in ("fg", "bg")}
    words = [word for word in order if word in ("fg", "bg")] if isinstance(order, list) else []
    counted = {kind: words.count(kind) for kind in by_kind}
    if counted != {kind: len(places) for kind, places in by_kind.items()}:
        words = [kind for kind, places in by_kind.items() for _ in places]
    left = {kind: iter(places) for kind, places in by_kind.items()}
    return tuple((next(left[word]), word == "fg") for word in words)


def _voxels(places: Any) -> list[tuple[int, int, int]]:
    if not isinstance(places, list | tuple | None):
        raise BoxesFault("the clicks of a class are not lists")
    return [_voxel(place) for place in places or ()]


def _voxel(place: Any) -> tuple[int, int, int]:
    if not isinstance(place, list | tuple) or len(place) != 3:
        raise BoxesFault("a click is not three numbers")
    k, j, i = box_numbers(dict(zip("kji", place, strict=True)), "kji")
    return k, j, i


def _texts(arrays: NpzArrays) -> tuple[dict[int, str], bool]:
    if "text_prompts" not in arrays:
        return {}, False
    items = _items(arrays, "text_prompts")
    if len(items) != 1 or type(items[0]) is not dict:
        raise BoxesFault("the texts are not a dict")
    is_instances = items[0].get(_INSTANCE, 0) in (1, "1", True)
    texts = {}
    for key, value in items[0].items():
        label = parse_label(key)
        # In the training data several phrasings are listed; the first is the plainest.
        phrase = value[0] if isinstance(value, list) and value else value
        if label is not None:
            if not isinstance(phrase, str) or not phrase.strip() or name_fault(phrase):
                raise BoxesFault(f"the text of label {label} is not a phrase")
            texts[label] = phrase.strip()
    return dict(sorted(texts.items())), is_instances


def _items(arrays: NpzArrays, name: str) -> list[Any]:
    header = arrays.header(name)
    if header.dtype is not None:
        # An empty list, which numpy stores as numbers.
        if np.prod(header.shape) == 0:
            return []
        # Equal numbers of words in each class make a table of texts.
        if header.dtype.kind == "U" and len(header.shape) == 2:
            return [list(map(str, row)) for row in arrays.read(name)]
        raise BoxesFault(f"'{name}' is an array {header.shape} of {header.dtype}")
    content = arrays.content(name, _LARGEST_PICKLE)
    return parse_boxes(content[header.nbytes_header :])
