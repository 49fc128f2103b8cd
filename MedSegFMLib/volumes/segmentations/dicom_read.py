"""Segmentations from DICOM SEG, read with pydicom: binary, fractional and label maps.

Frames without voxels may be left out of a file, so that the grid comes from the distances between
those that are there and from the spacing that the file states.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import GeometryError, VolumeError
from ...system.memory.physical_memory import check_fits_memory
from ..geometry import Geometry
from .codes import Code
from .dicom_write import LEDGER_ELEMENT, PRIVATE_CREATOR, PRIVATE_GROUP
from .meanings import Meaning, Rgb
from .segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.66.{n}" for n in ("4", "7"))
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# What a frame may be off the grid, in voxels.
_OFF_VOXELS = 0.02
_SAME_MM = 1e-3
_SAME_AXES = 1e-4

Vectors = NDArray[np.float64]


def is_dicom_seg(storage_class: str) -> bool:
    """Whether a class of DICOM objects, by its UID, is a segmentation of voxels."""
    return storage_class in _CLASSES


def read_dicom_seg(path: Path) -> Segmentation:
    """Read the segments of a file; labels are the numbers of segments.

    Raises:
        VolumeError: the file is damaged, or in a form that is not supported.
        GeometryError: its frames are not on one grid.
    """
    from pydicom import dcmread

    from ..io.dicom.damage import DamageNamed, without_warnings

    with without_warnings(), DamageNamed(path):
        dataset = dcmread(path)
        size = int(dataset.NumberOfFrames) * int(dataset.Rows) * int(dataset.Columns)
        check_fits_memory(str(path), size, VolumeError)
        return _segmentation(path, dataset)


def _segmentation(path: Path, dataset: Dataset) -> Segmentation:
    geometry, slices = _grid(path, dataset)
    kind = str(dataset.SegmentationType)
    pixels = dataset.pixel_array
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    threshold = int(dataset.MaximumFractionalValue) / 2 if kind == "FRACTIONAL" else 0
    owners = None if kind == "LABELMAP" else _owners(dataset)
    segments = []
    for item in dataset.SegmentSequence:
        number = int(item.SegmentNumber)
        if number == 0:
            continue
        mask = np.zeros(geometry.shape_kji, bool)
        for frame, k in enumerate(slices):
            if owners is None:
                mask[k] |= pixels[frame] == number
            elif owners[frame] == number:
                mask[k] |= pixels[frame] > threshold
        segments.append(
            Segment.from_mask(
                number,
                str(item.get("SegmentDescription") or item.SegmentLabel),
                mask,
                color_rgb=_color(item),
                meaning=_meaning(item),
            )
        )
    return Segmentation(geometry, tuple(segments), private_text(dataset, LEDGER_ELEMENT))


def _owners(dataset: Dataset) -> list[int]:
    """The number of the segment of each frame."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    numbers = []
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        scope = frame if "SegmentIdentificationSequence" in frame else shared
        numbers.append(int(scope.SegmentIdentificationSequence[0].ReferencedSegmentNumber))
    return numbers


def _grid(path: Path, dataset: Dataset) -> tuple[Geometry, list[int]]:
    """The grid of all frames, and the slice of each."""
    from ..io.dicom.header import read_header
    from ..io.dicom.images import images_of

    images = images_of(read_header(path))
    first = images[0] if images else None
    if first is None or any(i.position_lps is None or i.axes_lps is None for i in images):
        raise VolumeError(f"{path} does not state a place for each frame; export it again.")
    if first.spacing_mm is None or first.axes_lps is None:
        raise VolumeError(f"{path} does not state the spacing of its voxels; export it again.")
    rows, columns = first.axes_lps
    normal = np.cross(rows, columns)
    positions = np.array([image.position_lps for image in images])
    heights = positions @ normal
    origin = positions[int(np.argmin(heights))]
    apart = np.unique(np.round(heights - heights.min(), 3))
    stated = first.step_mm or first.thickness_mm or 1.0
    unit = stated if first.step_mm or len(apart) < 2 else float(np.diff(apart).min())
    if len(apart) > 1 and unit > np.diff(apart).min() + _SAME_MM:
        unit = float(np.diff(apart).min())
    numbers = np.rint((heights - heights.min()) / unit).astype(int)
    step = _step(positions - origin, numbers, normal * unit)
    matrix = np.eye(4)
    between_rows, between_columns = first.spacing_mm
    matrix[:3] = np.column_stack([rows * between_columns, columns * between_rows, step, origin])
    off = np.abs(positions - origin - numbers[:, None] * step).max()
    is_turned = any(
        np.abs(np.asarray(i.axes_lps) - first.axes_lps).max() > _SAME_AXES for i in images
    )
    if off > _OFF_VOXELS * min(first.spacing_mm) + _SAME_MM or is_turned:
        raise GeometryError(
            f"The frames of {path} are up to {off:.3g} mm off a regular grid; resample it first."
        )
    shape = (int(numbers.max()) + 1, int(dataset.Rows), int(dataset.Columns))
    return Geometry(shape, _LPS_TO_RAS @ matrix), numbers.tolist()


def _step(apart: Vectors, numbers: NDArray[np.int_], upright: Vectors) -> Vectors:
    """The vector from one slice to the next: least squares, as slices may be shifted (tilted)."""
    weight = float(numbers @ numbers)
    if weight == 0:
        return upright
    step: Vectors = numbers @ apart / weight
    return upright if np.abs(apart - numbers[:, None] * upright).max() < _SAME_MM else step


def _meaning(item: Dataset) -> Meaning | None:
    category, kind = (
        _code(item.get(f"SegmentedProperty{name}CodeSequence")) for name in ("Category", "Type")
    )
    if category is None or kind is None:
        return None
    side = item.SegmentedPropertyTypeCodeSequence[0].get(
        "SegmentedPropertyTypeModifierCodeSequence"
    )
    return Meaning(category, kind, _code(side))


def _code(sequence: list[Dataset] | None) -> Code | None:
    if not sequence:
        return None
    item = sequence[0]
    return Code(str(item.CodeValue), str(item.CodeMeaning), str(item.CodingSchemeDesignator))


def _color(item: Dataset) -> Rgb | None:
    from highdicom.color import CIELabColor

    value = item.get("RecommendedDisplayCIELabValue")
    if not value:
        return None
    red, green, blue = (v / 255 for v in CIELabColor.from_dicom_value(list(value)).to_rgb())
    return red, green, blue


def private_text(dataset: Dataset, element: int) -> str:
    """A text of our private block; empty if there is none."""
    try:
        value = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR)[element].value
    except KeyError:
        return ""
    # Implicit files do not state that it is text.
    text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
    return text.rstrip("\0 ")
