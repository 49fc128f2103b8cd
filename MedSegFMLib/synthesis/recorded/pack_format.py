"""The pack: real volumes in one file that can be read with numpy only.

A pack is an .npz without pickles: its array "index" is a JSON list that describes the volumes; the
arrays of volume n are named "n/image", "n/labels" and so on. It is written volume by volume, and
the voxels are read when they are used, so that the size of a pack is not limited by the memory.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError
from ...system.atomic_files import atomic_path
from ...system.json_files import parse_json
from ...system.npz_files import OpenNpz
from ...volumes.geometry import LARGEST_SPACING_MM, SMALLEST_SPACING_MM

FORMAT = "MedSegFM recordings 1"
_LABEL_ARRAYS = ("labels", "boxes", "sizes", "neighbours")
_IMAGE_ARRAYS = ("image", "supervoxels", "ranges", "range_boxes", "salience")
# The type and shape of each array; None for any length.
_LAYOUT: dict[str, tuple[str, tuple[int | None, ...]]] = {
    "image": ("uint8", (None, None, None)),
    "labels": ("uint8", (None, None, None)),
    "boxes": ("int16", (None, 6)),
    "sizes": ("int32", (None,)),
    "neighbours": ("uint8", (None, 2)),
    "supervoxels": ("uint16", (None, None, None)),
    "ranges": ("int32", (None, 2)),
    "range_boxes": ("int16", (None, 6)),
    "salience": ("float32", (None,)),
}
_VOXELS = ("image", "labels", "supervoxels")
# What a damaged index raises.
_DAMAGE = (AttributeError, KeyError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True, eq=False)
class StoredVoxels:
    """An array (K, J, I) in a pack, read anew by each `numpy.asarray`.

    Attributes:
        file: the pack.
        name: the name of the array in it.
        dtype: its type.
        shape: its shape.
    """

    file: OpenNpz
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The array.

        Raises:
            VolumeError: the pack is damaged or was changed.
        """
        array = self.file.read(self.name)
        if array.dtype != self.dtype or array.shape != self.shape:
            raise VolumeError(f"'{self.name}' of a pack was changed; start again.")
        return array if dtype is None else array.astype(dtype, copy=False)


Voxels = NDArray[Any] | StoredVoxels


@dataclass(frozen=True, eq=False)
class PackedVolume:
    """A real image, its labels, or both, on one grid, with its origin.

    Image, labels and supervoxels that were read from a pack are `StoredVoxels`.

    Attributes:
        name: its unique name.
        spacing_kji_mm: the size of a voxel.
        licence: the licence of the data.
        attribution: the attribution that the licence requires.
        groups: label numbers that together are one object.
        image: (K, J, I) uint8, or None for a label map without an image.
        labels: (K, J, I) uint8, 0 for no object, or None.
        boxes: (labels, 6) int16, the half-open box (start kji, stop kji) of label 1, 2, …
        sizes: (labels,) int32, the number of voxels of these labels.
        neighbours: (n, 2) uint8, pairs of labels that touch.
        supervoxels: (K, J, I) uint16, small regions of even intensity, or None without an image.
        ranges: (m, 2) int32; supervoxels start to stop - 1 together are a region with a visible
            border.
        range_boxes: (m, 6) int16, the half-open boxes of these regions.
        salience: (m,) float32, how object-like each region is: its contrast divided by its own
            spread, reduced for thin or winding regions.
    """

    name: str
    spacing_kji_mm: tuple[float, float, float]
    licence: str
    attribution: str
    groups: tuple[tuple[int, ...], ...] = ()
    image: Voxels | None = None
    labels: Voxels | None = None
    boxes: NDArray[np.int16] | None = None
    sizes: NDArray[np.int32] | None = None
    neighbours: NDArray[np.uint8] | None = None
    supervoxels: Voxels | None = None
    ranges: NDArray[np.int32] | None = None
    range_boxes: NDArray[np.int16] | None = None
    salience: NDArray[np.float32] | None = None

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """The shape of image and labels."""
        array = self.labels if self.image is None else self.image
        assert array is not None
        k, j, i = array.shape
        return int(k), int(j), int(i)


class PackWriter:
    """Writes volumes into an open archive, one at a time; see `pack_writer`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._index: list[dict[str, Any]] = []

    def add(self, packed: PackedVolume) -> None:
        """Write a volume."""
        number = len(self._index)
        array_names = [
            name for name in (*_LABEL_ARRAYS, *_IMAGE_ARRAYS) if getattr(packed, name) is not None
        ]
        for name in array_names:
            self._write(f"{number}/{name}", np.asarray(getattr(packed, name)))
        self._index.append(
            {
                "name": packed.name,
                "spacing_kji_mm": packed.spacing_kji_mm,
                "licence": packed.licence,
                "attribution": packed.attribution,
                "groups": packed.groups,
                "arrays": array_names,
            }
        )

    def finish(self) -> None:
        """Write the index."""
        self._write("index", np.array([FORMAT, json.dumps(self._index)]))

    def _write(self, name: str, array: NDArray[Any]) -> None:
        # As numpy does: the size of the array is not known before it is written.
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


@contextmanager
def pack_writer(path: Path) -> Iterator[PackWriter]:
    """Write a pack, whole or not at all; the block adds the volumes.

    Raises:
        OutputError: it cannot be written.
    """
    with (
        atomic_path(path) as beside,
        zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        writer = PackWriter(archive)
        yield writer
        writer.finish()


def save_pack(packed_volumes: Sequence[PackedVolume], path: Path) -> None:
    """Write a pack of volumes in memory, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with pack_writer(path) as writer:
        for packed in packed_volumes:
            writer.add(packed)


def load_pack(path: Path) -> list[PackedVolume]:
    """The volumes of a pack, whose voxels stay in the file until they are used.

    Raises:
        VolumeError: the file is missing, damaged or not a pack.
    """
    file = OpenNpz(path, VolumeError, "copy or create it again", "a pack")
    try:
        form, text = (str(part) for part in file.read("index"))
        packed_volumes = [
            _packed_volume(file, n, item) for n, item in enumerate(parse_json(text, list))
        ]
    except VolumeError:
        raise
    except _DAMAGE as error:
        raise VolumeError(
            f"{path} cannot be read as a pack ({error}); copy or create it again."
        ) from error
    if form != FORMAT or not packed_volumes:
        raise VolumeError(f"{path} has no volumes in the format of this version; create it again.")
    return packed_volumes


def _packed_volume(file: OpenNpz, number: int, item: dict[str, Any]) -> PackedVolume:
    k, j, i = (float(mm) for mm in item["spacing_kji_mm"])
    name, licence, attribution = (str(item[key]) for key in ("name", "licence", "attribution"))
    groups = tuple(tuple(int(label) for label in group) for group in item["groups"])
    stored: dict[str, Any] = {array: _array(file, number, array) for array in item["arrays"]}
    packed = PackedVolume(name, (k, j, i), licence, attribution, groups, **stored)
    _check(packed)
    return packed


def _array(file: OpenNpz, number: int, name: str) -> NDArray[Any] | StoredVoxels:
    dtype, shape = _LAYOUT[name]
    full_name = f"{number}/{name}"
    header = file.header(full_name)
    is_right = len(header.shape) == len(shape) and all(
        n is None or n == size for n, size in zip(shape, header.shape, strict=True)
    )
    if header.dtype != dtype or header.dtype is None or not is_right:
        raise ValueError(f"'{full_name}' is {header.dtype} {header.shape}")
    if name in _VOXELS:
        return StoredVoxels(file, full_name, header.dtype, header.shape)
    return file.read(full_name)


def _check(packed: PackedVolume) -> None:
    """Check that the arrays of a volume are on one grid and refer to its voxels and labels."""
    if packed.image is None and packed.labels is None:
        raise ValueError(f"'{packed.name}' has neither image nor labels")
    spacing = packed.spacing_kji_mm
    if not all(SMALLEST_SPACING_MM <= mm <= LARGEST_SPACING_MM for mm in spacing):
        raise ValueError(f"the spacing of '{packed.name}' is {spacing}")
    shape = packed.shape_kji
    for array in (packed.image, packed.labels, packed.supervoxels):
        if array is not None and (array.shape != shape or min(array.shape) < 1):
            raise ValueError(f"'{packed.name}' has arrays of several shapes or an empty one")
    for boxes in (packed.boxes, packed.range_boxes):
        if boxes is not None:
            start, stop = boxes[:, :3], boxes[:, 3:]
            if not ((start >= 0) & (start <= stop) & (stop <= shape)).all():
                raise ValueError(f"'{packed.name}' has boxes outside its voxels")
    labels = 0 if packed.boxes is None else len(packed.boxes)
    if any(not 1 <= label <= labels for group in packed.groups for label in group):
        raise ValueError(f"'{packed.name}' has groups of labels that it lacks")
