"""Reading and writing of segmentations in any format."""

from __future__ import annotations

from pathlib import Path

from ...errors import MaskError, OutputError, VolumeError
from ...system.atomic_files import atomic_path
from ..geometry import Geometry
from ..volume import Volume
from .dicom_source import SEG_DICOM, dicom_kind
from .nrrd import check_layers, is_seg_nrrd, read_seg_nrrd, write_seg_nrrd
from .segmentation import Segmentation

SEG_NRRD = ".seg.nrrd"


def has_layers(path: Path) -> bool:
    """Whether the format of a name can hold segments that overlap."""
    return path.name.lower().endswith((SEG_NRRD, SEG_DICOM))


def has_segments(path: Path) -> bool:
    """Whether a file describes segments with names: .seg.nrrd, DICOM SEG or RTSTRUCT.

    A damaged file does not; reading it as a volume says what is wrong with it.

    Raises:
        VolumeError: the file cannot be opened.
    """
    from .dicom_read import is_dicom_seg
    from .rtstruct_read import is_rtstruct

    try:
        if not path.is_file():
            return False
        try:
            if path.name.lower().endswith(".nrrd"):
                return is_seg_nrrd(path)
            kind = _storage_class(path)
            return is_dicom_seg(kind) or is_rtstruct(kind)
        except VolumeError:
            return False
    except OSError as error:
        raise _unreadable(path, error) from error


def _storage_class(path: Path) -> str:
    """The UID of the class of a DICOM object; empty for other files."""
    from ..io.dicom.files import is_dicom_file
    from ..io.dicom.header import read_header, storage_class

    return storage_class(read_header(path)) if is_dicom_file(path) else ""


def read_segmentation(path: Path, grid: Geometry | None = None) -> Segmentation:
    """Read segments from a file; see `Segmentation.read`."""
    from ..io.front_door import check_image_file
    from ..io.image_files import read_components
    from .dicom_read import read_dicom_seg
    from .rtstruct_read import is_rtstruct, read_rtstruct

    try:
        if not has_segments(path):
            return Segmentation.from_labelmap(Volume.read(path))
        if not path.name.lower().endswith(".nrrd"):
            is_contours = is_rtstruct(_storage_class(path))
            return read_rtstruct(path, grid) if is_contours else read_dicom_seg(path)
        array, geometry = read_components(check_image_file(path))
        check_layers(path, array)
        layers = [Volume(array[..., n], geometry) for n in range(array.shape[-1])]
        return read_seg_nrrd(path, layers)
    except OSError as error:
        raise _unreadable(path, error) from error
    except MaskError as error:
        raise MaskError(f"{path}: {error}") from error


def _unreadable(path: Path, error: OSError) -> VolumeError:
    return VolumeError(
        f"{path} cannot be read ({error.strerror or error}); check the path and its permissions."
    )


def write_segmentation(segmentation: Segmentation, path: Path) -> None:
    """Write segments to a file; see `Segmentation.write`."""
    name = path.name.lower()
    if name.endswith(SEG_DICOM):
        raise OutputError(
            f"{path} is {dicom_kind(path)}, which needs its source images; use medsegfm segment or "
            f"segmentations.dicom_write, or write {SEG_NRRD}."
        )
    if name.endswith(SEG_NRRD):
        with atomic_path(path) as beside:
            write_seg_nrrd(segmentation, beside)
        return
    overlaps = segmentation.overlaps()
    if overlaps:
        one, other, voxels = overlaps[0]
        raise MaskError(
            f"{path} would be a label map, in which '{one.name}' and '{other.name}' cannot overlap "
            f"as they do in {voxels} voxels; write {SEG_NRRD}, or segmentation.labelmap(), in "
            "which the last segment counts."
        )
    names = {segment.label: segment.name for segment in segmentation.segments}
    segmentation.labelmap().write(path, names)
