"""Reading of image files by their format, and writing with SimpleITK."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ...errors import GeometryError, OutputError, VolumeError
from ...system.atomic_files import atomic_path, incomplete_file
from ...system.standard_error import silenced
from ..geometry import Geometry
from ..volume import Volume
from .choices import check_is_dicom, check_no_pyramid
from .frames import check_frame
from .front_door import CheckedFile, check_image_file
from .header_values import not_one_volume
from .nibabel_files import read_mgh, read_nifti, write_sheared_nifti
from .settling import settled
from .sitk_images import geometry_from_sitk, sitk_from_volume, volume_from_sitk
from .tiff_files import read_tiff
from .written_voxels import check_voxels
from .zarr_files import is_zarr, read_ome_zarr

if TYPE_CHECKING:
    import SimpleITK

_LOG = logging.getLogger("MedSegFMLib")
_MOST_NIFTI_VOXELS = 2**15 - 1
# Phrases in ITK's error messages about grids that it rejects.
_GRID_PHRASES = ("orthonormal", "Refusing to change spacing", "Bad direction", "irection cosines")


def read_volume(
    path: Path,
    series: str | int | None = None,
    frame: int | None = None,
    suv: bool = False,
    spacing_ijk_mm: Sequence[float] | None = None,
    level: int | None = None,
    channel: str | int | None = None,
) -> Volume:
    """Read one 3D scalar volume from a file or a folder; see `Volume.read`."""
    notes: Sequence[str]
    try:
        if is_zarr(path):
            check_is_dicom(path, series, suv)
            volume, notes = read_ome_zarr(path, level or 0, channel, frame, spacing_ijk_mm)
        else:
            check_no_pyramid(path, level, channel)
            volume, notes = _read(path, series, frame, suv, spacing_ijk_mm)
    except OSError as error:
        raise VolumeError(
            f"{path} cannot be read ({error.strerror or error}); check the path and its "
            "permissions."
        ) from error
    volume, more = settled(volume, str(path))
    for note in (*notes, *more):
        _LOG.warning("%s %s.", path, note)
    return volume


def _read(
    path: Path,
    series: str | int | None,
    frame: int | None,
    suv: bool,
    spacing_ijk_mm: Sequence[float] | None,
) -> tuple[Volume, Sequence[str]]:
    """A volume as its file has it, and clauses on what a user should know."""
    from .dicom.files import folder_of
    from .dicom.reader import read_dicom

    folder = folder_of(path)
    checked = None if folder else check_image_file(path)
    if spacing_ijk_mm is not None and (checked is None or checked.reader != "TIFF"):
        raise VolumeError(f"{path} states its own spacing; leave --spacing out.")
    if folder or checked is None:
        return read_dicom(folder or path, series, frame, suv), ()
    if checked.reader == "DICOM":
        return read_dicom(path, series, frame, suv), ()
    check_is_dicom(path, series, suv)
    if checked.nifti is not None:
        return read_nifti(checked.nifti, frame), checked.nifti.notes
    if checked.reader == "TIFF":
        check_frame(str(path), 1, (), frame)
        return read_tiff(path, spacing_ijk_mm), ("states no position and is placed at the origin",)
    if checked.reader == "MGH":
        return read_mgh(path, frame), ()
    with _quiet_itk():
        image = _with_named_errors(path, lambda: _read_file(checked, frame))
    return volume_from_sitk(image, str(path)), checked.notes


def write_volume(volume: Volume, path: Path, names: Mapping[int, str]) -> None:
    """Write a file in the format of its ending, atomically; see `Volume.write`."""
    check_ending(path)
    check_storable(path, volume.geometry)
    write = WRITERS[max(_endings(path), key=len)]
    with atomic_path(path) as beside:
        write(volume, beside, names)


def check_ending(path: Path) -> None:
    """Raise OutputError if no format is written under this name."""
    if not _endings(path):
        raise OutputError(
            f"{path} has an ending that is not written; use one of {', '.join(WRITERS)}."
        )


def check_storable(path: Path, geometry: Geometry) -> None:
    """Check that the format of a name can store a grid, before a volume for it is computed.

    Raises:
        OutputError: the grid has more voxels along an axis than the format can state.
    """
    is_nifti = path.name.lower().endswith((".nii", ".nii.gz"))
    if is_nifti and max(geometry.shape_kji) > _MOST_NIFTI_VOXELS:
        raise OutputError(
            f"{path} would have {max(geometry.shape_kji)} voxels along an axis, and NIfTI-1 holds "
            f"at most {_MOST_NIFTI_VOXELS}; use .nrrd or .mha."
        )


def _endings(path: Path) -> list[str]:
    return [ending for ending in WRITERS if path.name.lower().endswith(ending)]


def _write_with_sitk(volume: Volume, path: Path, _names: Mapping[int, str]) -> None:
    import SimpleITK as sitk

    image = sitk_from_volume(volume)
    if volume.geometry.is_sheared and path.name.lower().endswith((".nii", ".nii.gz")):
        # ITK's writer would make the axes orthonormal.
        write_sheared_nifti(volume.with_array(sitk.GetArrayViewFromImage(image)), path)
        return
    with _quiet_itk():
        try:
            sitk.WriteImage(image, str(path), useCompression=path.suffix.lower() != ".nii")
        except RuntimeError as error:
            reason = incomplete_file(path, volume.array_kji.nbytes)
            if reason.errno is None:
                reason = OSError(_without_prefix(str(error).strip().splitlines()[-1]))
            raise reason from error
    # ITK does not always report a full disk or a file that may not grow.
    check_voxels(path, sitk.GetArrayViewFromImage(image))


def _write_segments(volume: Volume, path: Path, names: Mapping[int, str]) -> None:
    from ..segmentations.nrrd import write_seg_nrrd
    from ..segmentations.segmentation import Segmentation

    write_seg_nrrd(Segmentation.from_labelmap(volume, names), path)


Writer = Callable[[Volume, Path, Mapping[int, str]], None]
"""Writes a volume to a path; the names of its labels are empty if it is not a label map."""

# The formats of output files by their endings in lower case; the longest that matches counts. A
# writer raises OSError if it fails.
WRITERS: dict[str, Writer] = {
    ".nii.gz": _write_with_sitk,
    ".nii": _write_with_sitk,
    ".seg.nrrd": _write_segments,
    ".nrrd": _write_with_sitk,
    ".mha": _write_with_sitk,
}


def read_components(checked: CheckedFile) -> tuple[NDArray[Any], Geometry]:
    """The voxels of a checked NRRD or MetaImage file with all their values: (K, J, I, values)."""
    import SimpleITK as sitk

    with _quiet_itk():
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(checked.path))
        reader.SetImageIO(checked.reader)
        image = _with_named_errors(checked.path, reader.Execute)
    if image.GetDimension() != 3:
        raise not_one_volume(str(checked.path), image.GetSize())
    array = sitk.GetArrayFromImage(image)
    return array.reshape(*array.shape[:3], -1), geometry_from_sitk(image)


def _read_file(checked: CheckedFile, frame: int | None = None) -> SimpleITK.Image:
    import SimpleITK as sitk

    path = checked.path
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(checked.reader)
    reader.ReadImageInformation()
    size, values = reader.GetSize(), reader.GetNumberOfComponents()
    if len(size) < 3 or any(n > 1 for n in size[4:]):
        raise not_one_volume(str(path), size)
    volumes = size[3] if len(size) > 3 else 1
    if values > 1 and volumes == 1 and frame is not None:
        # Volumes side by side in each voxel, as in Slicer's sequences.
        index = check_frame(str(path), values, (values, *size), frame)
        return sitk.VectorIndexSelectionCast(reader.Execute(), index)
    index = check_frame(str(path), volumes, size, frame)
    if len(size) > 3:
        # ITK keeps a trailing axis of length 1 as a fourth dimension.
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
        reader.SetExtractIndex([0, 0, 0, index, *[0] * (len(size) - 4)])
    return reader.Execute()


def _with_named_errors(path: Path, read: Callable[[], SimpleITK.Image]) -> SimpleITK.Image:
    try:
        return read()
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        about_grid = [line for line in lines if any(phrase in line for phrase in _GRID_PHRASES)]
        if about_grid:
            raise GeometryError(
                f"The grid of {path} cannot be used ({_without_prefix(about_grid[-1])}); repair "
                "its header."
            ) from error
        raise VolumeError(
            f"{path} cannot be read as a volume ({_without_prefix(lines[-1])}); check that it is "
            "a complete NIfTI, NRRD, MetaImage or DICOM file."
        ) from error


def _without_prefix(line: str) -> str:
    """ITK's message without the name and address of the object that raised it."""
    return re.sub(r"\w* ?\(0x[0-9a-fA-F]+\):? ?", "", line.split("ERROR: ", 1)[-1]).rstrip(".")


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """Suppress what ITK and its libraries print on stderr; relevant problems are raised."""
    import SimpleITK as sitk

    was_shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with silenced():
            yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(was_shown)
