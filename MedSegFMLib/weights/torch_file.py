"""Check that a file in torch's format is complete, without reading its tensors. Needs no package.

Since torch 1.6 torch.save writes a zip archive, with its directory at the end; before, it wrote a
sequence of pickles. https://pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import WeightsError
from ..system.regular_files import check_regular_file
from .safetensors_header import read_header

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"


def is_safetensors(path: Path) -> bool:
    """Whether a file begins like safetensors: a length, then JSON.

    Raises:
        WeightsError: the file cannot be read.
    """
    return _start(path)[8:9] == b"{"


def check_torch_file(path: Path) -> None:
    """Check that a file is complete and in torch's format or safetensors.

    Of torch's old format, which does not store its length, only the beginning is checked.

    Raises:
        WeightsError: it is truncated, in another format, or an archive that unpacks to more than it
            is: torch compresses nothing.
    """
    start = _start(path)
    if is_safetensors(path):
        read_header(path)
    elif start.startswith(_ZIP):
        _check_archive(path)
    elif not start.startswith(_PICKLE):
        raise WeightsError(
            f"{path} is neither a torch nor a safetensors file; use the weights as published."
        )


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    # NotImplementedError: a version of the format that zipfile does not know.
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise WeightsError(
            f"{path} is truncated or damaged: its end is missing; download it again."
        ) from error
    size = path.stat().st_size
    if unpacked > size:
        raise WeightsError(
            f"{path} has {size} bytes and unpacks to {unpacked}, which torch never writes; use the "
            "weights as published."
        )


def _start(path: Path) -> bytes:
    check_regular_file(path, WeightsError)
    try:
        with path.open("rb") as file:
            return file.read(9)
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be read ({error.strerror or error}); check the path."
        ) from error
