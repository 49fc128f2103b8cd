"""Segmentations from RTSTRUCT: closed contours on the slices of a grid, as masks of its voxels.

Contours of a slice are combined by the even-odd rule, so that one within another is a hole, whether
it is joined to it (keyhole technique), is of the type CLOSEDPLANAR_XOR, or neither.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import GeometryError, VolumeError
from ...system.json_files import parse_json
from ...system.memory.physical_memory import check_fits_memory
from ...system.names import LARGEST_LABEL
from ..geometry import Geometry
from ..io.dicom.header import Header
from .dicom_read import private_text
from .dicom_write import LEDGER_ELEMENT, label_text
from .meanings import Rgb
from .outlines import Bools, filled
from .rtstruct_write import GRID_ELEMENT, STORAGE_CLASS
from .segmentation import Segment, Segmentation

_LOG = logging.getLogger("MedSegFMLib")
_CLOSED, _XOR = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR"
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
# What a contour may be off the middle of its slice: headers and contours are rounded to 0.1 mm, and
# beyond a quarter of the distance between slices a contour belongs to another series.
_OFF_SLICE_MM, _LARGEST_PART = 0.1, 0.25

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Contour:
    """A closed contour: its slice, its vertices in (i, j), and whether it may be a copy."""

    k: int
    polygon_ij: Points
    kind: str


def is_rtstruct(storage_class: str) -> bool:
    """Whether a class of DICOM objects, by its UID, is RTSTRUCT."""
    return storage_class == STORAGE_CLASS


def read_rtstruct(path: Path, grid: Geometry | None) -> Segmentation:
    """Read the contours of a file as masks; what is not a closed contour is reported and left out.

    Args:
        path: the file.
        grid: that of the image; None for the one in files of this library.

    Raises:
        VolumeError: the file is damaged, or there is no grid.
        GeometryError: contours are not on the slices of the grid.
    """
    from ..io.dicom.damage import DamageNamed, without_warnings
    from ..io.dicom.whole_file import read_whole

    with without_warnings(), DamageNamed(path):
        dataset = read_whole(path)
        geometry = grid or _own_grid(private_text(dataset, GRID_ELEMENT))
        if geometry is None:
            raise VolumeError(
                f"{path} is RTSTRUCT, contours without voxels; name the image on whose slices they "
                "are (in Python: give its geometry)."
            )
        check_fits_memory(str(path), int(np.prod(geometry.shape_kji)), VolumeError)
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        segments = _segments(Header(path, dataset, syntax, None), geometry)
        ledger = private_text(dataset, LEDGER_ELEMENT)
    if not segments:
        raise VolumeError(f"{path} has no structure of closed contours; choose another file.")
    return Segmentation(geometry, tuple(segments), ledger)


def _segments(header: Header, geometry: Geometry) -> list[Segment]:
    structures = header.items("StructureSetROISequence")
    contours = {_number(i, "ReferencedROINumber"): i for i in header.items("ROIContourSequence")}
    numbers = [_number(structure, "ROINumber") for structure in structures]
    if len(set(numbers)) < len(numbers):
        raise VolumeError(f"{header.path} gives several structures one number; export it again.")
    are_labels = all(0 < n <= LARGEST_LABEL for n in numbers)
    segments = []
    for at, (number, structure) in enumerate(zip(numbers, structures, strict=True), start=1):
        label = number if are_labels else at
        name = _name(structure)
        item = contours.get(number)
        closed = _closed_contours(item, name, geometry) if item else []
        if closed is not None:
            mask = _mask(closed, header.path, name, geometry)
            color = _color(item) if item else None
            segments.append(Segment.from_mask(label, name, mask, color_rgb=color))
    return segments


def _closed_contours(item: Header, name: str, geometry: Geometry) -> list[_Contour] | None:
    """The closed contours of a structure; None if it has others alone (points, lines)."""
    found: list[_Contour] = []
    left_out: dict[str, int] = defaultdict(int)
    for contour in item.items("ContourSequence"):
        kind = contour.text("ContourGeometricType").upper()
        values = contour.decimals("ContourData") or []
        stated = contour.decimal("NumberOfContourPoints")
        if len(values) % 3 or (stated is not None and stated * 3 != len(values)):
            raise contour.fault("ContourData", "does not have the stated number of points")
        if kind not in (_CLOSED, _XOR) or len(values) < 9:
            left_out[kind if kind not in (_CLOSED, _XOR) else "less than three points"] += 1
            continue
        points = geometry.ijk_from_ras(np.reshape(values, (-1, 3)) * _LPS_TO_RAS)
        found.append(_Contour(_slice(item.path, name, points, geometry), points[:, :2], kind))
    if left_out:
        counts = ", ".join(f"{count} of {kind}" for kind, count in sorted(left_out.items()))
        _LOG.warning(
            "%s: contours of '%s' that enclose nothing are left out: %s.", item.path, name, counts
        )
    return None if left_out and not found else found


def _slice(path: Path, name: str, points_ijk: Points, geometry: Geometry) -> int:
    """The slice of a contour.

    Raises:
        GeometryError: it is on none, or beside the image.
    """
    heights = points_ijk[:, 2]
    k = round(float(heights.mean()))
    slices, rows, columns = geometry.shape_kji
    off = float(np.abs(heights - k).max())
    apart_mm = geometry.voxel_volume_mm3 / float(np.prod(geometry.spacing_ijk_mm[:2]))
    if not 0 <= k < slices:
        raise _not_of_image(path, name, "beyond its first or last slice")
    if off > min(_OFF_SLICE_MM / apart_mm, _LARGEST_PART):
        raise _not_of_image(path, name, f"{off * apart_mm:.3g} mm off its slices")
    low, high = points_ijk[:, :2].min(axis=0), points_ijk[:, :2].max(axis=0)
    if (high <= -0.5).any() or low[0] >= columns - 0.5 or low[1] >= rows - 0.5:
        raise _not_of_image(path, name, "beside it")
    return k


def _not_of_image(path: Path, name: str, place: str) -> GeometryError:
    return GeometryError(
        f"{path} has a contour of '{name}' that is not on the image, but {place}; use the series "
        "that it was drawn on, with all its slices."
    )


def _mask(contours: Sequence[_Contour], path: Path, name: str, geometry: Geometry) -> Bools:
    mask = np.zeros(geometry.shape_kji, bool)
    by_slice: dict[int, list[_Contour]] = defaultdict(list)
    for contour in contours:
        by_slice[contour.k].append(contour)
    notes: set[str] = set()
    for k, parts in by_slice.items():
        mask[k] = _even_odd(parts, geometry.shape_kji[1:], notes)
    if by_slice and len(by_slice) < max(by_slice) - min(by_slice) + 1:
        notes.add("has slices without a contour between others, which stay empty")
    _, rows, columns = geometry.shape_kji
    edges = np.concatenate([c.polygon_ij for c in contours]) if contours else np.zeros((1, 2))
    if edges.min() < -1 or (edges.max(axis=0) > (columns, rows)).any():
        notes.add("extends beyond the image, which cuts it off")
    for note in sorted(notes):
        _LOG.warning("%s: '%s' %s.", path, name, note)
    return mask


def _even_odd(parts: Sequence[_Contour], shape_ji: tuple[int, int], notes: set[str]) -> Bools:
    """The voxels of one slice inside an odd number of contours; copies count once."""
    masks = [(filled(part.polygon_ij, shape_ji), part.kind) for part in parts]
    masks.sort(key=lambda pair: -int(np.count_nonzero(pair[0])))
    depth = np.zeros(shape_ji, np.int32)
    before: Bools | None = None
    for mask, kind in masks:
        if not mask.any():
            continue
        if before is not None and kind == _CLOSED and np.array_equal(mask, before):
            notes.add("has copies of contours, which count once")
            continue
        # Of larger contours: those that enclose this one, unless some cross it.
        around = depth[mask]
        if kind == _CLOSED and around.min() < around.max():
            notes.add("has contours that cross; what two of them enclose is outside")
        depth += mask
        before = mask
    result: Bools = depth % 2 == 1
    return result


def _name(structure: Header) -> str:
    """The name of a structure: the description if the name is its beginning, as we write it."""
    name, description = structure.prose("ROIName"), structure.prose("ROIDescription")
    return description if description and label_text(description) == name else name


def _number(item: Header, keyword: str) -> int:
    value = item.decimal(keyword)
    if value is None or not value.is_integer():
        raise item.fault(keyword, "has to be a whole number")
    return int(value)


def _color(item: Header) -> Rgb | None:
    values = item.decimals("ROIDisplayColor")
    if values is None or len(values) != 3:
        return None
    red, green, blue = (min(max(value / 255, 0.0), 1.0) for value in values)
    return red, green, blue


def _own_grid(text: str) -> Geometry | None:
    """The grid in a file of this library; None for another text."""
    try:
        grid = parse_json(text)
        return Geometry(grid["shape_kji"], np.reshape(grid["ijk_to_ras"], (4, 4)))
    except (ValueError, LookupError, TypeError, GeometryError):
        return None
