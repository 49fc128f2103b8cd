"""The labelled objects of the challenge's training files: an index, and one object at a time.

A folder of thousands of npz files does not fit the memory, so only the index does: file, label and
bounding box of each object. An index is kept as JSON; files that have not changed are not read
again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MedSegFMError, VolumeError
from ..progress import Progress
from ..system.atomic_files import write_text
from ..system.json_files import load_json
from ..system.names import LARGEST_LABEL
from ..volumes.region import Region
from .challenge_npz import DEFAULT_SPACING_ORDER, read_image, read_label_array, read_labels

_FORMAT = "MedSegFM instances 1"
# An index is continued after a crash, but is not written after every file.
_FILES_BETWEEN_WRITES = 200


@dataclass(frozen=True)
class Instance:
    """An object of a file.

    Attributes:
        path: the npz file.
        label: its label in `gts`.
        box: its bounding box.
        shape_kji: the shape of the volume.
    """

    path: Path
    label: int
    box: Region
    shape_kji: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class InstanceCrop:
    """A part of a volume around an object.

    Attributes:
        image: (K, J, I), as stored.
        labels: the same shape, as stored.
        spacing_kji_mm: the size of a voxel.
    """

    image: NDArray[Any]
    labels: NDArray[Any]
    spacing_kji_mm: tuple[float, float, float]


class InstanceIndex:
    """The objects of files, in a JSON file.

    Args:
        path: the JSON file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = _read(path)

    def update(self, files: Sequence[Path], progress: Progress) -> None:
        """Read the labels of files that are new or have changed; `progress` may raise Cancelled.

        Raises:
            VolumeError: a file cannot be used.
            OutputError: the index cannot be written.
        """
        missing = [path for path in files if self._entry(path) is None]
        try:
            for number, path in enumerate(missing):
                progress(number / len(missing), f"Indexing file {number + 1} of {len(missing)}")
                self._files[str(path)] = _indexed(path)
                if number % _FILES_BETWEEN_WRITES == _FILES_BETWEEN_WRITES - 1:
                    self._write()
        finally:
            if missing:
                self._write()

    def instances(self, files: Sequence[Path]) -> list[Instance]:
        """The objects of indexed files, in the order of the files and of their labels.

        Raises:
            VolumeError: a file is not indexed, or was changed since.
        """
        found = []
        for path in files:
            entry = self._entry(path)
            if entry is None:
                raise VolumeError(f"{path} was changed after it was indexed; start again.")
            k, j, i = (int(n) for n in entry["shape"])
            for label, *box in entry["objects"]:
                start, stop = tuple(map(int, box[:3])), tuple(map(int, box[3:]))
                region = Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
                found.append(Instance(path, int(label), region, (k, j, i)))
        return found

    def _entry(self, path: Path) -> Mapping[str, Any] | None:
        entry = self._files.get(str(path))
        return entry if entry is not None and entry["stamp"] == _stamp(path) else None

    def _write(self) -> None:
        write_text(self._path, json.dumps({"format": _FORMAT, "files": self._files}))


def read_crop(
    instance: Instance, margin: Sequence[int], spacing_order: str = DEFAULT_SPACING_ORDER
) -> tuple[InstanceCrop, Region]:
    """An object with a margin around its box, in voxels along k, j and i, clipped to the volume.

    Returns:
        The crop, and its region in the volume.

    Raises:
        VolumeError: the file cannot be used, or its shape is not that of the index.
    """
    image = read_image(instance.path, spacing_order)
    labels = read_labels(instance.path, image.geometry)
    region = instance.box.grown(margin, image.geometry.shape_kji)
    # Copies, so that the whole volume can be freed.
    crop = InstanceCrop(
        image.array_kji[region.slices].copy(),
        labels.array_kji[region.slices].copy(),
        image.geometry.spacing_kji_mm,
    )
    return crop, region


def _indexed(path: Path) -> dict[str, Any]:
    from scipy.ndimage import find_objects

    labels = read_label_array(path)
    if labels.max() > LARGEST_LABEL:
        raise VolumeError(
            f"{path}: 'gts' has the label {labels.max()}; labels up to {LARGEST_LABEL} are read."
        )
    objects = [
        [label, *(side.start for side in box), *(side.stop for side in box)]
        for label, box in enumerate(find_objects(labels.astype(np.int32, copy=False)), 1)
        if box is not None
    ]
    return {"stamp": _stamp(path), "shape": list(labels.shape), "objects": objects}


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _read(path: Path) -> dict[str, Any]:
    """The files of an index; a missing or damaged one is made anew."""
    try:
        document = load_json(path, dict)
        if document["format"] != _FORMAT:
            return {}
        files: dict[str, Any] = document["files"]
        for entry in files.values():
            if len(entry["stamp"]) != 2 or len(entry["shape"]) != 3:
                return {}
            if any(len(each) != 7 for each in entry["objects"]):
                return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MedSegFMError):
        return {}
    return files
