"""The only way of an image file to ITK: known formats, with header and voxels checked before.

ITK has readers for some twenty formats and chooses by trial; several crash on a damaged header,
read files that the header names, or fill missing voxels with zeros. A file passes here only if its
name and its content agree on a format; NRRD and MetaImage are then read by ITK, restricted to that
format's reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import VolumeError
from ...system.regular_files import check_regular_file
from .dicom.files import is_dicom
from .metaimage_header import read_metaimage_header
from .nifti_header import NiftiFile, check_nifti_file, header_of_pair
from .nrrd_header import read_nrrd_header
from .payload_checks import check_payload
from .tiff_files import MAGIC as TIFF_MAGIC

FORMATS = (
    "NIfTI-1 and -2 (.nii, .nii.gz, or .hdr with .img), NRRD (.nrrd, .nhdr), MetaImage (.mha, "
    ".mhd), FreeSurfer (.mgh, .mgz), TIFF (.tif, .tiff), OME-Zarr (.zarr, .zarr.zip) and DICOM"
)
_GZIP = b"\x1f\x8b"
_START_BYTES = 132


@dataclass(frozen=True)
class CheckedFile:
    """A file that may be read.

    Attributes:
        path: the file to open, which is the header of a pair.
        reader: its format, or the name of the only ITK reader to use.
        nifti: the header of a NIfTI file, else None.
        notes: clauses on what a user should know.
    """

    path: Path
    reader: Literal["DICOM", "NIfTI", "MGH", "TIFF", "NrrdImageIO", "MetaImageIO"]
    nifti: NiftiFile | None = None
    notes: tuple[str, ...] = ()


def check_image_file(path: Path) -> CheckedFile:
    """Check that a file is of a supported format, whole and undamaged, without ITK.

    A raw payload has no checksum; its size is compared.

    Raises:
        VolumeError: it is not a regular file, of another format, truncated, damaged, or larger than
            this machine's memory.
        GeometryError: its grid is not usable.
        OSError: it cannot be read.
    """
    status = check_regular_file(path, VolumeError)
    if status.st_size == 0:
        raise VolumeError(f"{path} is empty (0 bytes); copy or download it again.")
    name = path.name.lower()
    with path.open("rb") as stream:
        start = stream.read(_START_BYTES)
    is_zipped = start[:2] == _GZIP
    if is_zipped and not name.endswith((".nii.gz", ".mgz")):
        endings = ".mgz" if name.endswith(".mgh") else ".nii.gz"
        is_known = name.endswith((".nii", ".mgh"))
        way = f"rename it to end in {endings}" if is_known else f"unzip it, or use {FORMATS}"
        raise VolumeError(f"{path} is gzip-compressed; {way}.")
    if name.endswith((".nii.gz", ".mgz")) and not is_zipped:
        raise VolumeError(
            f"{path} has the ending of a compressed file but is not gzip-compressed; correct its "
            "ending."
        )
    checked = _by_name(path, name, is_zipped)
    if checked is not None:
        return checked
    if name.endswith((".tif", ".tiff")) and start[:4] in TIFF_MAGIC:
        return CheckedFile(path, "TIFF")
    if is_dicom(path, start):
        return CheckedFile(path, "DICOM")
    raise VolumeError(f"{path} is not of a supported format; use {FORMATS}.")


def _by_name(path: Path, name: str, is_zipped: bool) -> CheckedFile | None:
    if name.endswith((".nii", ".nii.gz")):
        ending = path.name[-7 if is_zipped else -4 :]
        if ending not in (ending.lower(), ending.upper()):
            raise VolumeError(
                f"{path} ends in {ending}, which is not supported; rename it to lower case."
            )
        return CheckedFile(path, "NIfTI", check_nifti_file(path, is_zipped, is_pair=False))
    if name.endswith((".hdr", ".img")):
        header = _header(path)
        check_regular_file(header, VolumeError)
        return CheckedFile(header, "NIfTI", check_nifti_file(header, False, is_pair=True))
    if name.endswith((".mgh", ".mgz")):
        return CheckedFile(path, "MGH")
    if name.endswith((".nrrd", ".nhdr")):
        payload = read_nrrd_header(path)
        check_payload(payload)
        return CheckedFile(path, "NrrdImageIO", notes=payload.notes)
    if name.endswith((".mha", ".mhd")):
        payload = read_metaimage_header(path)
        check_payload(payload)
        return CheckedFile(path, "MetaImageIO", notes=payload.notes)
    return None


def _header(path: Path) -> Path:
    return header_of_pair(path) if path.suffix.lower() == ".img" else path
