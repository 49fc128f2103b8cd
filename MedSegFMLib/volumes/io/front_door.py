"""The only way of an image file to ITK: known formats, with header and voxels checked before.

ITK has readers for some twenty formats and chooses by trial; several crash on a damaged header,
read files that the header names, or fill missing voxels with zeros. A file passes here only if its
name and its content agree on one of four formats, and ITK is then restricted to that format's
reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import VolumeError
from ...system.regular_files import check_regular_file
from .dicom.files import is_dicom
from .header_values import Payload
from .metaimage_header import read_metaimage_header
from .nifti_header import header_of_pair, read_nifti_header
from .nrrd_header import read_nrrd_header
from .payload_checks import check_payload

FORMATS = (
    "NIfTI-1 (.nii, .nii.gz, or .hdr with .img), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd) and "
    "DICOM"
)
_GZIP = b"\x1f\x8b"
_START_BYTES = 132


@dataclass(frozen=True)
class CheckedFile:
    """A file that may be read.

    Attributes:
        path: the file to open, which is the header of a pair.
        reader: the name of the only ITK reader to use; None for DICOM, which ITK does not read.
    """

    path: Path
    reader: str | None


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
    if name.endswith(".nii") and is_zipped:
        raise VolumeError(f"{path} is gzip-compressed; rename it to end in .nii.gz.")
    if name.endswith(".nii.gz") and not is_zipped:
        raise VolumeError(f"{path} ends in .gz but is not gzip-compressed; correct its ending.")
    checked = _by_name(path, name, is_zipped)
    if checked is not None:
        payload, reader = checked
        check_payload(payload)
        return CheckedFile(_header(path), reader)
    if is_dicom(path, start):
        return CheckedFile(path, None)
    raise VolumeError(f"{path} is not of a supported format; use {FORMATS}.")


def _by_name(path: Path, name: str, is_zipped: bool) -> tuple[Payload, str] | None:
    if name.endswith((".nii", ".nii.gz")):
        ending = path.name[-7 if is_zipped else -4 :]
        if ending not in (ending.lower(), ending.upper()):
            raise VolumeError(
                f"{path} ends in {ending}, which is not supported; rename it to lower case."
            )
        return read_nifti_header(path, is_zipped, is_pair=False), "NiftiImageIO"
    if name.endswith((".hdr", ".img")):
        header = _header(path)
        check_regular_file(header, VolumeError)
        return read_nifti_header(header, is_zipped=False, is_pair=True), "NiftiImageIO"
    if name.endswith((".nrrd", ".nhdr")):
        return read_nrrd_header(path), "NrrdImageIO"
    if name.endswith((".mha", ".mhd")):
        return read_metaimage_header(path), "MetaImageIO"
    return None


def _header(path: Path) -> Path:
    return header_of_pair(path) if path.suffix.lower() == ".img" else path
