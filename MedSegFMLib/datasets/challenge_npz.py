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
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError, VolumeError
from ..system.atomic_files import atomic_path
from ..system.json_files import JsonError, parse_json
from ..system.npz_files import NpzArrays, open_npz
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .challenge_boxes import VoxelBox, box_dict, present_labels
from .challenge_prompts import read_texts, text_prompts, unique_names
from .numpy_objects import BoxesFault

SPACING_ORDERS = ("xyz", "zyx")
DEFAULT_SPACING_ORDER = "xyz"
MIDDLES = ("slices", "voxels")
"""Rules for the middle slice of an object; see `middle_slice`."""

_GRID, _OBJECTS = "medsegfm_ijk_to_ras", "medsegfm_objects"


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


def read_any_image(path: Path, spacing_order: str = DEFAULT_SPACING_ORDER) -> Volume:
    """The image of an npz file of the challenge, or a volume of another format.

    Raises:
        VolumeError, GeometryError: it cannot be read; see `read_image` and `Volume.read`.
    """
    return read_image(path, spacing_order) if is_challenge_file(path) else Volume.read(path)


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
    labels = read_label_array(path)
    if labels.shape != geometry.shape_kji:
        raise VolumeError(
            f"{path}: 'gts' has the shape {labels.shape}, and its image {geometry.shape_kji}; "
            "they must be the same."
        )
    return Volume(labels, geometry)


def read_label_array(path: Path) -> NDArray[Any]:
    """The labels (K, J, I) of a file, without its image.

    Raises:
        VolumeError: they are missing, or not whole numbers.
    """
    with _opened(path) as arrays:
        labels = _array(arrays, "gts", path)
    if labels.dtype.kind not in "bui":
        raise VolumeError(f"{path}: 'gts' contains {labels.dtype}; labels must be whole numbers.")
    return labels


def has_labels(path: Path) -> bool:
    """Whether a file contains `gts`."""
    with _opened(path) as arrays:
        return "gts" in arrays


def read_objects(path: Path, image: Path | None = None) -> dict[int, str]:
    """The labels above 0 in `gts`, ascending, with their names.

    These are the names in the file, or else its `text_prompts`, or "label 7".

    Args:
        path: the file.
        image: the file with the image, if it is another one; its `text_prompts` count too.
    """
    with _opened(path) as arrays:
        labels = _array(arrays, "gts", path)
        named = _named(arrays, path)
        texts = _texts(arrays, path)
    if not texts and image not in (None, path):
        with _opened(image) as arrays:
            texts = _texts(arrays, image)
    present = present_labels(labels)
    said = unique_names({label: text for label, text in texts.items() if label in present})
    names = {label: said.get(label, f"label {label}") for label in present}
    return {label: str(named.get(str(label), name)) for label, name in names.items()}


def write_case(
    path: Path,
    image: Volume,
    labels: NDArray[Any],
    objects: Mapping[int, str],
    spacing_order: str = DEFAULT_SPACING_ORDER,
    boxes: Mapping[int, VoxelBox] | None = None,
    middle: str = MIDDLES[0],
    instances: str | None = None,
) -> None:
    """Write a case in the challenge's format, whole or not at all.

    Args:
        path: the npz file.
        image: the image.
        labels: (K, J, I) of the image's shape.
        objects: the names by label, which become `text_prompts`.
        spacing_order: "xyz" or "zyx".
        boxes: by label, for all labels; None for none.
        middle: the rule of `middle_slice` by which the boxes were drawn.
        instances: the phrase of the class whose instances all labels are; None if they are not.

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
    texts = text_prompts(objects, instances)
    if texts:
        arrays["text_prompts"] = np.array(texts, dtype=object)
    if boxes is not None:
        dicts = [
            box_dict(boxes[label], middle_slice(labels == label, middle))
            for label in present_labels(labels)
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


def middle_slice(mask_kji: NDArray[Any], middle: str = MIDDLES[0]) -> int:
    """The index k of the slice for an object's box, never an empty one.

    Args:
        mask_kji: (K, J, I), the object, not empty.
        middle: "slices" for the middle of the slices that show the object, the upper of two, as
            in the challenge since May 2025; "voxels" for the slice of its middle voxel in array
            order, as before.
    """
    counts = np.count_nonzero(mask_kji, axis=(1, 2))
    if middle == "slices":
        shown = np.flatnonzero(counts)
        return int(shown[len(shown) // 2])
    voxels_up_to_k = np.cumsum(counts)
    return int(np.searchsorted(voxels_up_to_k, voxels_up_to_k[-1] // 2, side="right"))


def _texts(arrays: NpzArrays, path: Path) -> dict[int, str]:
    try:
        return read_texts(arrays)
    except BoxesFault as fault:
        raise VolumeError(
            f"{path}: its text_prompts cannot be read ({fault}); leave them out."
        ) from fault


def _opened(path: Path) -> AbstractContextManager[NpzArrays]:
    return open_npz(path, VolumeError, "copy or download it again")


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
