"""The DICOM files of a folder and the folders in it; nothing is left out without a reason."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....errors import VolumeError
from ....system.regular_files import check_folder_entries
from .damage import cut_short
from .header import Header, read_directory, read_header, storage_class

# A data set without a preamble begins with group 2 or 8 in little endian.
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_ENDINGS = ("", ".dcm", ".dicom", ".ima")
_START_BYTES = 1024
# The classes of objects without voxels: waveforms, presentation states, registrations and surfaces,
# reports, documents, radiotherapy plans and contours; and the directory of a medium.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_NOT_IMAGE_STORAGE = tuple(_STORAGE + f for f in ("9.", "11.", "66", "88.", "104.", "481."))
_NOT_IMAGE_STORAGE += ("1.2.840.10008.1.3.10",)
# DICOM objects that are not images, by their modality.
_NOT_IMAGES = {
    "SEG": "segmentation",
    "RTSTRUCT": "set of contours",
    "RTDOSE": "dose distribution",
    "RTPLAN": "treatment plan",
    "SR": "report",
    "PR": "presentation state",
    "KO": "selection of key objects",
}


def is_dicom(path: Path, start: bytes) -> bool:
    """Whether a file is DICOM by its first bytes and, without a preamble, by its name."""
    if start[128:132] == b"DICM":
        return True
    return _ending(path) in _ENDINGS and start[:2] in _FIRST_GROUPS


def folder_of(path: Path) -> Path | None:
    """The folder of DICOM images that a path means; None if it means a file.

    The directory of a patient's CD (DICOMDIR) means its folder.

    Raises:
        OSError: the path cannot be examined.
    """
    if path.exists() and path.is_dir():
        return path
    return path.parent if _is_directory_file(path) and path.is_file() else None


def is_dicom_file(path: Path) -> bool:
    """Whether a path leads to a regular file that begins as DICOM."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return is_dicom(path, stream.read(_START_BYTES))


@dataclass(frozen=True, eq=False)
class Damaged:
    """A file that cannot be read, and the error that says why."""

    path: Path
    error: VolumeError


def image_headers(folder: Path) -> tuple[list[Header], list[Damaged]]:
    """The headers of all images in a folder and the folders in it, by path, and damaged files.

    Raises:
        OSError: a file or folder cannot be read.
    """
    found: list[Header] = []
    damaged: list[Damaged] = []
    unknown: list[Path] = []
    endings: dict[Path, set[str]] = {}
    for path, start in _files(folder):
        if not is_dicom(path, start):
            unknown.append(path)
            continue
        endings.setdefault(path.parent, set()).add(_ending(path))
        try:
            header = read_header(path)
            if not_an_image(header) is None:
                found.append(_with_voxels(header))
        except VolumeError as error:
            damaged.append(Damaged(path, error))
    for path in unknown if endings else []:
        if _ending(path) in endings.get(path.parent, set()) | set(_ENDINGS[1:]):
            damaged.append(Damaged(path, cut_short(path)))
    return found, damaged


def file_header(path: Path) -> Header:
    """The header of an image file.

    Raises:
        VolumeError: it was cut short, is damaged, or is not an image.
        OSError: it cannot be read.
    """
    header = read_header(path)
    other = not_an_image(header)
    if other is not None:
        raise VolumeError(
            f"{path} is a DICOM {other}, not an image; use the image series it was made from."
        )
    return _with_voxels(header)


def not_an_image(header: Header) -> str | None:
    """The kind of object of a file that is not an image, for instance "report"; else None."""
    modality = header.text("Modality")
    if modality in _NOT_IMAGES:
        return _NOT_IMAGES[modality]
    return "object without voxels" if storage_class(header).startswith(_NOT_IMAGE_STORAGE) else None


def missing_files(folder: Path) -> list[Path]:
    """The files that the directory of a CD (DICOMDIR) lists and that are not in its folder.

    Without a directory, or with a damaged one, which the files themselves do not need, none are.
    """
    listed = next((path for path in folder.glob("*") if _is_directory_file(path)), None)
    if listed is None or not listed.is_file():
        return []
    try:
        records = read_directory(listed)
    except VolumeError:
        return []
    names = [record.text("ReferencedFileID").split("\\") for record in records]
    return [
        folder.joinpath(*parts)
        for parts in names
        if parts != [""] and not any(folder.joinpath(*p).exists() for p in _spellings(parts))
    ]


def _spellings(parts: Sequence[str]) -> list[list[str]]:
    """The ways in which systems spell a path of a CD: as it is, in lower case, with a version."""
    lower = [part.lower() for part in parts]
    return [[*parts], lower, *([*p[:-1], f"{p[-1]};1"] for p in (parts, lower))]


def _with_voxels(header: Header) -> Header:
    if header.pixel_offset is None:
        raise cut_short(header.path)
    return header


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Files that may be DICOM, and their first bytes; links to folders are followed once."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        check_folder_entries(Path(parent), VolumeError)
        for name in sorted(names):
            path = Path(parent, name)
            if _is_directory_file(path) or not path.exists():
                continue
            with path.open("rb") as stream:
                start = stream.read(_START_BYTES)
            is_hidden = name.startswith(".") and not is_dicom(path, start)
            if not is_hidden and not _is_text(start):
                yield path, start


def _is_directory_file(path: Path) -> bool:
    return path.name.upper().split(".")[0].split(";")[0] == "DICOMDIR"


def _raise(error: OSError) -> None:
    raise error


def _is_text(start: bytes) -> bool:
    """Whether a file begins as a text, such as the notes on a CD; an empty one does not."""
    return re.fullmatch(rb"(\xef\xbb\xbf)?[\t\r\n\x0c\x20-\x7e\x80-\xff]+", start) is not None


def _ending(path: Path) -> str:
    """The ending in lower case; none for numbers, as in IM.0001 or a UID."""
    ending = path.suffix.lower()
    return "" if ending[1:].isdigit() else ending
