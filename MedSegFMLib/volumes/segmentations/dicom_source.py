"""The images of a DICOM series that a segmentation refers to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MedSegFMError, OutputError
from ..geometry import Geometry

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from ..io.dicom.grid import Grid

SEG_DICOM, RTSTRUCT = ".dcm", ".rtstruct.dcm"
"""Endings of files that refer to the images of a DICOM series."""
_WAY = "write .seg.nrrd instead"
_NEEDED = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    "FrameOfReferenceUID",
)
# Elements that every DICOM object states, though they may be empty.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID"),
    *("AccessionNumber", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)

# Equal in all frames of a grid, as reading has proven.
_SHARED = ("PlaneOrientationSequence", "PixelMeasuresSequence")


def dicom_kind(path: Path) -> str:
    """The kind of DICOM object that is written under a name."""
    return "RTSTRUCT" if path.name.lower().endswith(RTSTRUCT) else "DICOM SEG"


@dataclass(frozen=True, eq=False)
class Source:
    """The images of one volume.

    Attributes:
        headers: the header of each slice's file in the order of slices; of a multi-frame file, it
            alone.
        frames: for each slice, its number in a multi-frame file, from 0; None for single images.
        count: the number of images: of slices, or of frames in the file.
        geometry: the grid of the slices.
    """

    headers: tuple[Dataset, ...]
    frames: tuple[int, ...] | None
    count: int
    geometry: Geometry

    def in_file_order(self, array_kji: NDArray[Any]) -> NDArray[Any]:
        """An array of slices as an array of images; those of no slice are 0."""
        if self.frames is None:
            return array_kji
        result = np.zeros((self.count, *array_kji.shape[1:]), array_kji.dtype)
        result[list(self.frames)] = array_kji
        return result


def read_source(
    out: Path, volume: Path, series: str | int | None = None, frame: int | None = None
) -> Source:
    """The images that a segmentation of a volume refers to.

    Args:
        out: the file to write, for messages.
        volume, series, frame: as for `Volume.read`.

    Raises:
        OutputError: the volume is not DICOM, or its images cannot be referred to.
        VolumeError, GeometryError: the volume cannot be read.
    """
    from ..io.dicom.files import folder_of, is_dicom_file
    from ..io.dicom.reader import source_grid

    folder = folder_of(volume)
    if folder is None and volume.is_file() and not is_dicom_file(volume):
        raise OutputError(
            f"{out} would be {dicom_kind(out)}, which refers to the images of a DICOM series, and "
            f"{volume} is not DICOM; segment the series itself, or {_WAY}."
        )
    grid = source_grid(folder or volume, series, frame)
    return _source(out, grid)


def source_of_files(out: Path, files: Sequence[Path]) -> Source:
    """The images of a volume that is in these files alone.

    Args:
        out: the file to write, for messages.
        files: the files, in any order.

    Raises:
        OutputError: the images cannot be referred to.
        VolumeError, GeometryError: they are not one volume.
    """
    from ..io.dicom.reader import grid_of_files

    return _source(out, grid_of_files(files))


def _source(out: Path, grid: Grid) -> Source:
    from pydicom import dcmread

    if any(image.tile for image in grid.images):
        raise OutputError(
            f"{out} would refer to slices in a Siemens mosaic, which are no images of their own; "
            f"{_WAY}."
        )
    paths = list(dict.fromkeys(image.header.path for image in grid.images))
    is_multi = any(image.count > 1 or image.groups for image in grid.images)
    if is_multi and len(paths) > 1:
        raise OutputError(
            f"{out} would refer to {len(paths)} multi-frame files, and {dicom_kind(out)} is "
            f"written of one or of single images; {_WAY}."
        )
    headers = tuple(
        _complete(dcmread(p, stop_before_pixels=True, force=True), grid.geometry) for p in paths
    )
    for path, header in zip(paths, headers, strict=True):
        missing = [keyword for keyword in _NEEDED if not header.get(keyword)]
        if missing:
            raise OutputError(
                f"{out} would refer to {path}, which has no {missing[0]}; {_WAY}, or export the "
                "series again."
            )
    frames = tuple(image.index for image in grid.images) if is_multi else None
    count = grid.images[0].count if is_multi else len(headers)
    return Source(headers, frames, count, grid.geometry)


def _complete(header: Dataset, geometry: Geometry) -> Dataset:
    """A header with what highdicom asks for; what all frames share is in the shared groups."""
    from pydicom.dataset import Dataset

    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, "")
    apart = f"{geometry.spacing_ijk_mm[2]:.10g}"
    if not header.get("SliceThickness"):
        header.SliceThickness = apart
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if frames:
        if not header.get("SharedFunctionalGroupsSequence"):
            header.SharedFunctionalGroupsSequence = [Dataset()]
        shared = header.SharedFunctionalGroupsSequence[0]
        for keyword in _SHARED:
            if keyword not in shared and keyword in frames[0]:
                setattr(shared, keyword, frames[0][keyword].value)
        for measures in shared.get("PixelMeasuresSequence") or ():
            measures.SpacingBetweenSlices = apart
            if not measures.get("SliceThickness"):
                measures.SliceThickness = apart
    return header


def named_errors(out: Path, error: Exception) -> OutputError:
    """The error for images that a segmentation cannot be made of; headers are not repeated."""
    if isinstance(error, MedSegFMError):
        raise error
    return OutputError(
        f"{out} cannot refer to these DICOM images, whose headers lack what {dicom_kind(out)} "
        f"needs ({type(error).__name__}); {_WAY}, or export the series again."
    )
