"""The npz files of the CVPR 2025 challenge on interactive 3D segmentation.

`imgs` and `gts` are (D, H, W), which is (K, J, I) here. `spacing` has three numbers; writers
disagree whether they are (x, y, z), as MedSAM's script stores the spacing of SimpleITK, or (z, y,
x), so that the caller states the order. `boxes`, which is optional, is a list with one dict for
each label of `gts`, ascending. Directions and origin are missing: i, j and k are then assumed to
increase toward the patient's left, back and head, as SimpleITK assumes for an array. Files written
here also contain the whole grid, `medsegfm_ijk_to_ras`, and the labels' names, `medsegfm_objects`;
other programs ignore both.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError, VolumeError
from ..system.atomic_files import atomic_path
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume

SPACING_ORDERS = ("xyz", "zyx")
DEFAULT_SPACING_ORDER = "xyz"
VoxelBox = tuple[tuple[int, int, int], tuple[int, int, int]]

_GRID, _OBJECTS = "medsegfm_ijk_to_ras", "medsegfm_objects"
_BOX_KEYS = ("z_min", "z_mid_y_min", "z_mid_x_min", "z_max", "z_mid_y_max", "z_mid_x_max")
# By name, the only objects in numpy's pickle of a list of dicts of numbers.
_HARMLESS: dict[str, Callable[..., Any]] = {
    "_reconstruct": np.empty(0).__reduce__()[0],  # type: ignore[dict-item]
    "scalar": np.int64(0).__reduce__()[0],  # type: ignore[dict-item]
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}


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
        grid = arrays.get(_GRID)
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
        named = json.loads(str(arrays[_OBJECTS])) if _OBJECTS in arrays else {}
        if not isinstance(named, dict):
            raise VolumeError(f"{path}: '{_OBJECTS}' does not map labels to names; leave it out.")
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
        with zipfile.ZipFile(path) as archive:
            if "boxes.npy" not in archive.namelist():
                return {}
            dicts = _pickled_list(archive.read("boxes.npy"))
        present = _present(labels_kji)
        if len(dicts) != len(present):
            raise VolumeError(
                f"{path} has {len(dicts)} boxes for {len(present)} labels; there must be one for "
                "each."
            )
        return {
            label: _bounds([int(box[key]) for key in _BOX_KEYS])
            for label, box in zip(present, dicts, strict=True)
        }
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        pickle.UnpicklingError,
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        if isinstance(error, VolumeError):
            raise
        raise VolumeError(f"{path}: its boxes cannot be read ({error}); leave them out.") from error


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


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.exists():
        raise VolumeError(f"{path} does not exist; check the path.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise VolumeError(f"{path} is not an npz file; use one with 'imgs' and 'gts'.")
            yield arrays
    except VolumeError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        # RuntimeError: an archive with a password or an unsupported compression method.
        raise VolumeError(
            f"{path} cannot be read as npz ({error}); copy or download it again."
        ) from error


def _array(arrays: Any, key: str, path: Path) -> NDArray[Any]:
    if key not in arrays:
        raise VolumeError(
            f"{path} lacks '{key}'; it contains {', '.join(arrays.keys()) or 'nothing'}."
        )
    array: NDArray[Any] = arrays[key]
    if array.ndim != 3 or min(array.shape) < 1:
        raise VolumeError(
            f"{path}: '{key}' has the shape {array.shape}; one 3D volume (D, H, W) is needed."
        )
    return array


def _spacing(arrays: Any, path: Path) -> tuple[float, float, float]:
    if "spacing" not in arrays:
        raise VolumeError(
            f"{path} lacks 'spacing'; it contains {', '.join(arrays.keys()) or 'nothing'}."
        )
    values = np.asarray(arrays["spacing"]).ravel()
    numeric = values.dtype.kind in "uif" and values.size == 3
    if not numeric or not (np.isfinite(values) & (values > 0)).all():
        raise VolumeError(
            f"{path}: 'spacing' is {values.tolist()}; three finite numbers above 0 are needed."
        )
    x, y, z = (float(value) for value in values)
    return x, y, z


def _present(labels: NDArray[Any]) -> list[int]:
    return [int(label) for label in np.unique(labels) if label > 0]


class _Harmless(pickle.Unpickler):
    """An unpickler for numbers, lists and dicts that rejects anything that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in _HARMLESS:
            return _HARMLESS[name]
        raise pickle.UnpicklingError(f"they contain {module}.{name}, which is not a number")


def _pickled_list(member: bytes) -> Sequence[Any]:
    """The items of an object array as written by `numpy.save`."""
    stream = io.BytesIO(member)
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    if len(shape) != 1 or dtype != np.dtype(object):
        raise ValueError(f"they are an array {shape} of {dtype}, but should be a list of dicts")
    return list(_Harmless(stream).load())


def _bounds(inclusive: Sequence[int]) -> VoxelBox:
    k0, j0, i0, k1, j1, i1 = inclusive
    return (k0, j0, i0), (k1 + 1, j1 + 1, i1 + 1)


def _box_dict(box: VoxelBox, middle_k: int) -> dict[str, int]:
    (k0, j0, i0), (k1, j1, i1) = box
    return dict(zip(_BOX_KEYS, (k0, j0, i0, k1 - 1, j1 - 1, i1 - 1), strict=True)) | {
        "z_mid": middle_k
    }
