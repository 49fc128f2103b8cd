"""Compressed voxels: the fragments of a file, checked to be whole, and their decoders."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from numpy.typing import NDArray

from ....errors import VolumeError
from .codec_process import codec_process
from .damage import cut_short
from .header import Header
from .pixel_format import PixelFormat

Stored = NDArray[Any]

_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_RLE = "1.2.840.10008.1.2.5"
_JPEG = "1.2.840.10008.1.2.4."
# The codec of each transfer syntax: JPEG (baseline, extended, lossless), JPEG-LS, JPEG 2000 and
# high-throughput JPEG 2000 (PS3.5, section 10).
_CODECS: Mapping[str, str] = {
    **{_JPEG + number: "jpeg8" for number in ("50", "51", "57", "70")},
    **{_JPEG + number: "jpegls" for number in ("80", "81")},
    **{_JPEG + number: "jpeg2k" for number in ("90", "91", "201", "202", "203")},
    _RLE: "dicomrle",
}
# Decoders return at most this much.
_MOST_BYTES_PER_VOXEL = 8


def decoder(header: Header, form: PixelFormat, shape: tuple[int, int]) -> Callable[[bytes], Stored]:
    """The function that decodes one frame of a file.

    Raises:
        VolumeError: the transfer syntax is not supported.
    """
    name = _CODECS.get(header.syntax)
    if name is None:
        raise VolumeError(
            f"{header.path} is compressed in a way that is not supported (transfer syntax "
            f"{header.syntax}); convert it to an uncompressed one."
        )
    stored_type = form.dtype.newbyteorder("<").str
    most_bytes = _MOST_BYTES_PER_VOXEL * shape[0] * shape[1]

    def run(encoded: bytes) -> Stored:
        decoded = codec_process().decode(name, stored_type, encoded, most_bytes)
        return decoded.reshape(shape) if name == "dicomrle" else decoded

    return run


def check_fragments(header: Header, stream: BinaryIO) -> None:
    """Check that all fragments and the delimiter behind them are there, from where a stream is.

    Raises:
        VolumeError: the file was cut short.
    """
    while True:
        head = stream.read(8)
        if len(head) < 8 or head[:4] not in (_ITEM, _END):
            raise cut_short(header.path)
        if head[:4] == _END:
            return
        (length,) = struct.unpack_from("<I", head, 4)
        stream.seek(length - 1, 1)
        if length % 2 or (length and not stream.read(1)):
            raise cut_short(header.path)
        if not length:
            stream.seek(1, 1)


def extended_offsets(header: Header) -> tuple[bytes, bytes] | None:
    """The places and lengths of frames that a header states; None if it does not."""
    found = [header.dataset.get(k) for k in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    if not all(isinstance(value, bytes) and value for value in found):
        return None
    return bytes(found[0]), bytes(found[1])
