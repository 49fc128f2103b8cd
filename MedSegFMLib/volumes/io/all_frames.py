"""The number of volumes in a file or series, and the reading of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import VolumeError
from ..volume import Volume
from .front_door import CheckedFile, check_image_file
from .settling import settled

_LOG = logging.getLogger("MedSegFMLib")


def open_frames(
    path: Path, series: str | int | None, suv: bool
) -> tuple[int, Callable[[int], Volume]]:
    """The number of volumes, and a function that reads one by its number, from 0.

    What a user should know of the file is reported with the first one that is read.

    Raises:
        VolumeError: the input is missing, damaged or not volumes on a grid.
    """
    from .dicom.files import folder_of
    from .dicom.reader import open_dicom_frames

    try:
        folder = folder_of(path)
        checked = None if folder else check_image_file(path)
        if checked is None or checked.reader == "DICOM":
            count, read_one = open_dicom_frames(folder or path, series, suv)
            return count, _once_reported(lambda n: _settled(read_one(n), path))
        count = _count(checked)
    except OSError as error:
        raise VolumeError(
            f"{path} cannot be read ({error.strerror or error}); check the path and its "
            "permissions."
        ) from error

    def read(index: int) -> Volume:
        return Volume.read(path, series, index + 1 if count > 1 else None, suv)

    return count, _once_reported(read)


def _count(checked: CheckedFile) -> int:
    if checked.nifti is not None:
        return checked.nifti.volumes
    if checked.reader == "TIFF":
        return 1
    if checked.reader == "MGH":
        import nibabel

        shape = nibabel.freesurfer.load(str(checked.path)).shape
        return int(shape[3]) if len(shape) > 3 else 1
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(checked.path))
    reader.SetImageIO(checked.reader)
    reader.ReadImageInformation()
    size = reader.GetSize()
    # Volumes side by side in each voxel, as in Slicer's sequences.
    return int(size[3]) if len(size) > 3 else int(reader.GetNumberOfComponents())


def _settled(volume: Volume, path: Path) -> Volume:
    volume, notes = settled(volume, str(path))
    for note in notes:
        _LOG.warning("%s %s.", path, note)
    return volume


def _once_reported(read: Callable[[int], Volume]) -> Callable[[int], Volume]:
    was_read: list[int] = []

    def once(index: int) -> Volume:
        if was_read:
            with _silent():
                return read(index)
        volume = read(index)
        was_read.append(index)
        return volume

    return once


@contextmanager
def _silent() -> Iterator[None]:
    """Without the warnings of this library."""

    def nothing(_record: logging.LogRecord) -> bool:
        return False

    _LOG.addFilter(nothing)
    try:
        yield
    finally:
        _LOG.removeFilter(nothing)
