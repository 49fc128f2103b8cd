"""Check that an image file just written holds all voxels, because ITK's writers hide failures.

The file is read once, without a copy of the volume: decompressed, counted and compared by CRC-32.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from ...system.atomic_files import incomplete_file

_CHUNK_BYTES = 1 << 20
_LONGEST_LINE = 1 << 16
# The header of NIfTI-1 up to the first voxel's offset, a float at byte 108.
_NIFTI_OFFSET_AT = 108


def check_voxels(path: Path, array_kji: NDArray[Any]) -> None:
    """Compare the voxels of a NIfTI, NRRD or MetaImage file with those that were written.

    Args:
        path: the file, in the machine's byte order and with its voxels in one piece.
        array_kji: what was written, in the file's type.

    Raises:
        OSError: the file is incomplete; the reason is the system's, such as a full disk.
    """
    expected = zlib.crc32(np.ascontiguousarray(array_kji).reshape(-1).view(np.uint8).data)
    checksum = size = 0
    try:
        for chunk in _voxel_chunks(path):
            checksum = zlib.crc32(chunk, checksum)
            size += len(chunk)
    except (OSError, EOFError, ValueError, struct.error, zlib.error):
        size = -1
    if (size, checksum) != (array_kji.nbytes, expected):
        raise incomplete_file(path, array_kji.nbytes)


def _voxel_chunks(path: Path) -> Iterator[bytes]:
    name = path.name.lower()
    with path.open("rb") as stream:
        if name.endswith((".nii", ".nii.gz")):
            is_zipped = name.endswith(".gz")
            voxels = cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if is_zipped else stream
            header = voxels.read(_NIFTI_OFFSET_AT + 4)
            start = int(struct.unpack_from("=f", header, _NIFTI_OFFSET_AT)[0])
            voxels.read(start - len(header))
            yield from _chunks(voxels)
        elif name.endswith(".nrrd"):
            fields = _header(stream, b"")
            is_zipped = b"encoding: gzip" in fields
            yield from _chunks(
                cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if is_zipped else stream
            )
        else:
            fields = _header(stream, b"ElementDataFile = LOCAL")
            yield from _unzipped(stream) if b"CompressedData = True" in fields else _chunks(stream)


def _header(stream: IO[bytes], last_line: bytes) -> list[bytes]:
    lines = []
    while (line := stream.readline(_LONGEST_LINE)).rstrip(b"\r\n") != last_line:
        if not line:
            raise EOFError
        lines.append(line.rstrip(b"\r\n"))
    return lines


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _unzipped(stream: IO[bytes]) -> Iterator[bytes]:
    unzip = zlib.decompressobj()
    for chunk in _chunks(stream):
        yield unzip.decompress(chunk)
    if not unzip.eof:
        raise EOFError
