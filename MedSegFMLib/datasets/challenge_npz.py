"""The npz files of the CVPR 2025 challenge on interactive 3D segmentation.

`imgs` and `gts` are (D, H, W), which is (K, J, I) here. `spacing` has three numbers; writers
disagree whether they are (x, y, z), as MedSAM's script stores the spacing of SimpleITK, or (z, y,
x), so that the caller states the order. `boxes`, which is optional, is a list with one dict for
each label of `gts`, ascending; numpy stores it as a pickle, which is parsed here without unpickling
(`boxes_pickle`). A file NAME.boxes.json beside NAME.npz with the same list takes its place.
Directions and origin are missing: i, j and k are then assumed to increase toward the patient's
left, back and head, as SimpleITK assumes for an array. Files written here also contain the whole
grid, `medsegfm_ijk_to_ras`, and the labels' names, `medsegfm_objects`; other programs ignore both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError, VolumeError
from ..system.atomic_files import atomic_path
from ..system.json_files import JsonError, load_json, parse_json
from ..system.npz_files import NpzArrays, open_npz
from ..system.regular_files import check_regular_file, leads_somewhere
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .boxes_pickle import BoxesFault, box_numbers, parse_boxes

SPACING_ORDERS = ("xyz", "zyx")
DEFAULT_SPACING_ORDER = "xyz"
VoxelBox = tuple[tuple[int, int, int], tuple[int, int, int]]

_GRID, _OBJECTS = "medsegfm_ijk_to_ras", "medsegfm_objects"
_BOX_KEYS = ("z_min", "z_mid_y_min", "z_mid_x_min", "z_max", "z_mid_y_max", "z_mid_x_max")
# Far more than the boxes of a file with 65535 labels.
_LARGEST_BOXES = 1 << 25


def cases_file(folder: Path) -> Path | None:
    """The cases.json of a folder, in upper or lower case; None if there is none."""
    return next((p for p in sorted(folder.iterdir()) if p.name.casefold() == "cases.json"), None)


def is_challenge_file(path: Path) -> bool:
    """Whether the name ends in .npz."""
    return path.suffix.lower() == ".npz"


def read_image(path: Path, spacing_order: str = DEFAULT_SPACING_ORDER) -> Volume:
    """The image of a file, on the grid that it stores, or else on one along the patient's axes.

    Raises:
        VolumeError: `imgs` or `spacing` is missing, or invalid.
    """
    with _opened(path) as arrays:
        voxels = _array(arrays, "imgs", path)
        spacing = _spacing(arrays, path)
        grid = arrays.read(_GRID) if _GRID in arrays else None
    size_ijk = spacing if spacing_order == "xyz" else spacing[::-1]
    try:
        if grid is not None:
            return Volume(voxels, Geometry(voxels.shape, grid))
        directions = np.diag([-1.0, -1.0, 1.0])
        return Volume(voxels, Geometry.from_spacing(voxels.shape, size_ijk, directions))
    except GeometryError as error:
        raise VolumeError(f"{path}: {error}") from error


def has_grid(path: Path) -> bool:
    """Whether a file stores the positions of its voxels in the patient."""
    with _opened(path) as arrays:
        return _GRID in arrays


def read_spacing(path: Path) -> tuple[float, float, float]:
    """The three numbers of `spacing` as stored."""
    with _opened(path) as arrays:
        return _spacing(arrays, path)


def read_labels(path: Path, geometry: Geometry) -> Volume:
    """The labels of a file, on the grid of its image.

    Raises:
        VolumeError: they are missing, not whole numbers, or have another shape.
    """
    with _opened(path) as arrays:
        labels = _array(arrays, "gts", path)
    if labels.dtype.kind not in "bui":
        raise VolumeError(f"{path}: 'gts' contains {labels.dtype}; labels must be whole numbers.")
    if labels.shape != geometry.shape_kji:
        raise VolumeError(
            f"{path}: 'gts' has the shape {labels.shape}, and its image {geometry.shape_kji}; "
            "they must be the same."
        )
    return Volume(labels, geometry)


def read_objects(path: Path) -> dict[int, str]:
    """The labels above 0 in `gts`, ascending, with the names in the file, or else "label 7"."""
    with _opened(path) as arrays:
        labels = _array(arrays, "gts", path)
        named = _named(arrays, path)
    present = _present(labels)
    return {label: str(named.get(str(label), f"label {label}")) for label in present}


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
        present = _present(labels_kji)
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
        raise VolumeError(f"{path}: its boxes cannot be read ({fault}); leave them out.") from fault


def write_case(
    path: Path,
    image: Volume,
    labels: NDArray[Any],
    objects: Mapping[int, str],
    spacing_order: str = DEFAULT_SPACING_ORDER,
    boxes: Mapping[int, VoxelBox] | None = None,
) -> None:
    """Write a case in the challenge's format, whole or not at all.

    Args:
        path: the npz file.
        image: the image.
        labels: (K, J, I) of the image's shape.
        objects: the names by label.
        spacing_order: "xyz" or "zyx".
        boxes: by label, for all labels; None for none.

    Raises:
        OutputError: the file cannot be written.
    """
    spacing = image.geometry.spacing_ijk_mm
    arrays: dict[str, Any] = {
        "imgs": image.array_kji,
        "gts": labels,
        "spacing": np.array(spacing if spacing_order == "xyz" else spacing[::-1]),
        _GRID: image.geometry.ijk_to_ras,
        _OBJECTS: np.array(json.dumps({str(label): name for label, name in objects.items()})),
    }
    if boxes is not None:
        dicts = [
            _box_dict(boxes[label], middle_slice(labels == label)) for label in _present(labels)
        ]
        arrays["boxes"] = np.array(dicts, dtype=object)
    with atomic_path(path) as beside:
        np.savez_compressed(beside, **arrays)


def write_segs(path: Path, maps: NDArray[Any]) -> None:
    """Write label maps (steps, K, J, I) as `segs`, the last one, and `all_segs`.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as beside:
        np.savez_compressed(beside, segs=maps[-1], all_segs=maps)


def middle_slice(mask_kji: NDArray[Any]) -> int:
    """The index k of the slice for an object's box: that of its middle voxel in array order."""
    voxels_up_to_k = np.cumsum(np.count_nonzero(mask_kji, axis=(1, 2)))
    return int(np.searchsorted(voxels_up_to_k, voxels_up_to_k[-1] // 2, side="right"))


def _opened(path: Path) -> AbstractContextManager[NpzArrays]:
    return open_npz(path, VolumeError, "copy or download it again")


def _box_items(path: Path) -> Sequence[Any] | None:
    """The boxes beside a file, or in it; None if there are none."""
    beside = path.with_name(f"{path.stem}.boxes.json")
    if leads_somewhere(beside):
        return _json_items(beside)
    with _opened(path) as arrays:
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


def _named(arrays: NpzArrays, path: Path) -> dict[str, Any]:
    """The names of the labels that a file stores; empty if it has none."""
    if _OBJECTS not in arrays:
        return {}
    try:
        named: dict[str, Any] = parse_json(str(arrays.read(_OBJECTS)), dict)
    except JsonError as error:
        raise VolumeError(
            f"{path}: '{_OBJECTS}' does not map labels to names ({error}); leave it out."
        ) from error
    return named


def _array(arrays: NpzArrays, key: str, path: Path) -> NDArray[Any]:
    if key not in arrays:
        raise VolumeError(
            f"{path} lacks '{key}'; it contains {', '.join(arrays.names) or 'nothing'}."
        )
    array = arrays.read(key)
    if array.ndim != 3 or min(array.shape) < 1:
        raise VolumeError(
            f"{path}: '{key}' has the shape {array.shape}; one 3D volume (D, H, W) is needed."
        )
    return array


def _spacing(arrays: NpzArrays, path: Path) -> tuple[float, float, float]:
    if "spacing" not in arrays:
        raise VolumeError(
            f"{path} lacks 'spacing'; it contains {', '.join(arrays.names) or 'nothing'}."
        )
    values = arrays.read("spacing").ravel()
    numeric = values.dtype.kind in "uif" and values.size == 3
    if not numeric or not (np.isfinite(values) & (values > 0)).all():
        raise VolumeError(
            f"{path}: 'spacing' is {values.tolist()}; three finite numbers above 0 are needed."
        )
    x, y, z = (float(value) for value in values)
    return x, y, z


def _present(labels: NDArray[Any]) -> list[int]:
    return [int(label) for label in np.unique(labels) if label > 0]


def _bounds(inclusive: Sequence[int]) -> VoxelBox:
    k0, j0, i0, k1, j1, i1 = inclusive
    return (k0, j0, i0), (k1 + 1, j1 + 1, i1 + 1)


def _box_dict(box: VoxelBox, middle_k: int) -> dict[str, int]:
    (k0, j0, i0), (k1, j1, i1) = box
    return dict(zip(_BOX_KEYS, (k0, j0, i0, k1 - 1, j1 - 1, i1 - 1), strict=True)) | {
        "z_mid": middle_k
    }
