"""The boxes in an npz file of the CVPR 2025 challenge, or in NAME.boxes.json beside it.

One dict for each label, ascending, with inclusive voxel indices; numpy stores the list as a pickle,
which is parsed without unpickling (`boxes_pickle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VolumeError
from ..system.json_files import JsonError, load_json
from ..system.npz_files import open_npz
from ..system.regular_files import check_regular_file, leads_somewhere
from .boxes_pickle import box_numbers, parse_boxes
from .numpy_objects import BoxesFault

VoxelBox = tuple[tuple[int, int, int], tuple[int, int, int]]

_BOX_KEYS = ("z_min", "z_mid_y_min", "z_mid_x_min", "z_max", "z_mid_y_max", "z_mid_x_max")
# Far more than the boxes of a file with 65535 labels.
_LARGEST_BOXES = 1 << 25


def read_box_list(path: Path) -> list[VoxelBox] | None:
    """The boxes of a file in their order, half-open voxel bounds (k, j, i); None without boxes.

    Raises:
        VolumeError: they cannot be read.
    """
    try:
        items = _box_items(path)
        if items is None:
            return None
        return [_bounds(box_numbers(box, _BOX_KEYS)) for box in items]
    except BoxesFault as fault:
        raise _unreadable_boxes(path, fault) from fault


def read_boxes(path: Path, labels_kji: NDArray[Any]) -> dict[int, VoxelBox]:
    """The boxes of a file by label, half-open voxel bounds (k, j, i); empty if it has none.

    Args:
        path: the file.
        labels_kji: the labels of this file or of its label file.

    Raises:
        VolumeError: the boxes do not match the labels, or contain anything but numbers.
    """
    try:
        items = _box_items(path)
        if items is None:
            return {}
        present = present_labels(labels_kji)
        if len(items) != len(present):
            raise VolumeError(
                f"{path} has {len(items)} boxes for {len(present)} labels; there must be one for "
                "each."
            )
        return {
            label: _bounds(box_numbers(box, _BOX_KEYS))
            for label, box in zip(present, items, strict=True)
        }
    except BoxesFault as fault:
        raise _unreadable_boxes(path, fault) from fault


def box_dict(box: VoxelBox, middle_k: int) -> dict[str, int]:
    """A box as the challenge stores it, drawn on the slice `middle_k`."""
    (k0, j0, i0), (k1, j1, i1) = box
    return dict(zip(_BOX_KEYS, (k0, j0, i0, k1 - 1, j1 - 1, i1 - 1), strict=True)) | {
        "z_mid": middle_k
    }


def present_labels(labels: NDArray[Any]) -> list[int]:
    """The labels above 0, ascending."""
    return [int(label) for label in np.unique(labels) if label > 0]


def _unreadable_boxes(path: Path, fault: BoxesFault) -> VolumeError:
    return VolumeError(f"{path}: its boxes cannot be read ({fault}); leave them out.")


def _box_items(path: Path) -> Sequence[Any] | None:
    """The boxes beside a file, or in it; None if there are none."""
    beside = path.with_name(f"{path.stem}.boxes.json")
    if leads_somewhere(beside):
        return _json_items(beside)
    with open_npz(path, VolumeError, "copy or download it again") as arrays:
        if "boxes" not in arrays:
            return None
        header, content = arrays.header("boxes"), arrays.content("boxes", _LARGEST_BOXES)
    if header.dtype is not None or len(header.shape) > 1:
        kind = header.dtype or "objects"
        raise BoxesFault(f"they are an array {header.shape} of {kind} instead of a list of dicts")
    return parse_boxes(content[header.nbytes_header :])


def _json_items(path: Path) -> Sequence[Any]:
    check_regular_file(path, VolumeError)
    try:
        items = load_json(path, most_bytes=_LARGEST_BOXES)
    except (OSError, JsonError) as error:
        raise VolumeError(f"{path} cannot be read as JSON ({error}); leave it out.") from error
    if not isinstance(items, list):
        raise VolumeError(f"{path} does not contain a list of boxes; leave it out.")
    return items


def _bounds(inclusive: Sequence[int]) -> VoxelBox:
    k0, j0, i0, k1, j1, i1 = inclusive
    return (k0, j0, i0), (k1 + 1, j1 + 1, i1 + 1)
