"""The stored voxels of DICOM files, exactly: uncompressed ones in place, others by imagecodecs."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ....errors import VolumeError
from .header import DEFLATED, Header, cut_short, damage_named

Stored = NDArray[Any]

_UNDEFINED = 0xFFFFFFFF
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_PIXEL_DATA = 0x7FE00010
_LONG_VRS = (b"OB", b"OW", b"UN")
_NATIVE = (*(f"1.2.840.10008.1.2{suffix}" for suffix in ("", ".1", ".2")), DEFLATED)
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


@dataclass(frozen=True)
class PixelFormat:
    """How voxels are stored.

    Attributes:
        dtype: the type that holds them, in this machine's byte order.
        bits: the bits of a voxel that count, from the lowest.
        is_masked: whether the other bits may hold something else (an overlay).
    """

    dtype: np.dtype[Any]
    bits: int
    is_masked: bool

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest value that can be stored."""
        if self.dtype.kind == "i":
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


def pixel_format(header: Header) -> PixelFormat:
    """The format of a file's voxels.

    Raises:
        VolumeError: they are not one grey value for each voxel, stored as whole numbers.
    """
    path = header.path
    samples = header.integer("SamplesPerPixel") or 1
    kind = header.text("PhotometricInterpretation")
    if samples > 1 or not kind.startswith("MONOCHROME"):
        raise VolumeError(
            f"{path} has {max(samples, 3)} values per voxel (colour); one grey value per voxel is "
            "needed."
        )
    if header.items("ModalityLUTSequence"):
        raise VolumeError(
            f"{path} states its values by a table (Modality LUT), which is not supported; convert "
            "it to rescaled values first."
        )
    allocated, bits = header.integer("BitsAllocated"), header.integer("BitsStored")
    if allocated not in (8, 16, 32) or bits is None or not 1 <= bits <= allocated:
        raise VolumeError(
            f"{path} stores {bits} of {allocated} bits per voxel; 8, 16 or 32 bits allocated are "
            "supported, so convert it."
        )
    high = header.integer("HighBit")
    if high not in (None, bits - 1):
        raise VolumeError(
            f"{path} has the HighBit {high} for {bits} bits, which has to be {bits - 1}; convert "
            "it first."
        )
    sign = "i" if header.integer("PixelRepresentation") else "u"
    return PixelFormat(np.dtype(f"{sign}{allocated // 8}"), bits, header.has_overlay_bits())


def read_frames(
    header: Header, shape: tuple[int, int], count: int, wanted: Collection[int], notes: set[str]
) -> Iterator[tuple[int, Stored]]:
    """Read frames of a file, one after the other.

    Args:
        header: the file.
        shape: rows and columns.
        count: the number of frames in the file.
        wanted: the numbers of the frames to read, from 0.
        notes: receives what a user should know, as clauses.

    Yields:
        The number of a frame and its stored voxels in the type of the file's `pixel_format`; the
        array is used again for the next frame.

    Raises:
        VolumeError: the file was cut short, is damaged, or has a syntax that is not supported.
        OSError: it cannot be read.
    """
    if header.pixel_offset is None:
        raise cut_short(header.path)
    form = pixel_format(header)
    read = _read_native if header.syntax in _NATIVE else _read_encoded
    with header.path.open("rb") as file, damage_named(header.path):
        stream = BytesIO(_inflated(file)) if header.syntax == DEFLATED else file
        for index, frame in read(header, stream, form, shape, count, wanted):
            _clean(header, frame, form, notes)
            yield index, frame


def _inflated(file: BinaryIO) -> bytes:
    """The element with the voxels of a deflated file, as it stands in an uncompressed one."""
    from pydicom import dcmread

    dataset = dcmread(file, force=True, specific_tags=[_PIXEL_DATA])
    element = dataset.get_item(_PIXEL_DATA)
    value = element.value if element is not None else b""
    return struct.pack("<HH2s2xI", 0x7FE0, 0x10, b"OW", len(value)) + bytes(value)


def _read_native(
    header: Header,
    stream: BinaryIO,
    form: PixelFormat,
    shape: tuple[int, int],
    count: int,
    wanted: Collection[int],
) -> Iterator[tuple[int, Stored]]:
    length, vr = _open_element(header, stream)
    start = stream.tell()
    size = shape[0] * shape[1] * form.dtype.itemsize
    if length not in (size * count, size * count + size * count % 2):
        raise VolumeError(
            f"{header.path} has {length} bytes of voxels instead of {size * count}; it was cut "
            "short or its header is wrong, so copy or export it again."
        )
    if header.is_big_endian and form.dtype.itemsize == 1 and vr != b"OB":
        raise VolumeError(
            f"{header.path} stores 8-bit voxels in words in big endian; convert it to explicit "
            "little endian."
        )
    stored_order = "big" if header.is_big_endian else "little"
    frame = np.empty(shape, form.dtype)
    for index in sorted(wanted):
        stream.seek(start + index * size)
        if stream.readinto(frame.data.cast("B")) != size:  # type: ignore[attr-defined]
            raise cut_short(header.path)
        if stored_order != sys.byteorder:
            frame.byteswap(inplace=True)
        yield index, frame
    stream.seek(start + length - 1)
    if not stream.read(1):
        raise cut_short(header.path)


def _read_encoded(
    header: Header,
    stream: BinaryIO,
    form: PixelFormat,
    shape: tuple[int, int],
    count: int,
    wanted: Collection[int],
) -> Iterator[tuple[int, Stored]]:
    from pydicom.encaps import generate_frames

    decode = _decoder(header, form, shape)
    if _open_element(header, stream)[0] != _UNDEFINED:
        raise cut_short(header.path)
    start = stream.tell()
    _check_fragments(header, stream)
    stream.seek(start)
    offsets = _extended_offsets(header)
    found = 0
    for index, encoded in enumerate(
        generate_frames(stream, number_of_frames=count, extended_offsets=offsets)
    ):
        found += 1
        if index not in wanted:
            continue
        decoded = decode(encoded)
        if decoded.shape != shape:
            raise VolumeError(
                f"{header.path} has voxels in {decoded.shape} rows and columns, and its header "
                f"states {shape}; copy or export it again."
            )
        yield index, _as_stored(header, decoded, form)
    if found != count:
        raise cut_short(header.path)


def _open_element(header: Header, stream: BinaryIO) -> tuple[int, bytes]:
    """Go to the first byte of the voxels and return the stated length and type."""
    order = ">" if header.is_big_endian else "<"
    stream.seek(header.pixel_offset or 0)
    group, element = struct.unpack(order + "HH", stream.read(4))
    if (group << 16) + element != _PIXEL_DATA:
        raise VolumeError(
            f"{header.path} stores its voxels as floating point numbers; convert it to NIfTI."
        )
    vr = b"OW"
    if not header.is_implicit:
        vr = stream.read(4)[:2]
        if vr not in _LONG_VRS:
            raise cut_short(header.path)
    (length,) = struct.unpack(order + "I", stream.read(4))
    return int(length), vr


def _check_fragments(header: Header, stream: BinaryIO) -> None:
    """Check that all fragments and the delimiter behind them are there."""
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


def _extended_offsets(header: Header) -> tuple[bytes, bytes] | None:
    found = [header.dataset.get(k) for k in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    if not all(isinstance(value, bytes) and value for value in found):
        return None
    return bytes(found[0]), bytes(found[1])


def _decoder(
    header: Header, form: PixelFormat, shape: tuple[int, int]
) -> Callable[[bytes], Stored]:
    import imagecodecs

    name = _CODECS.get(header.syntax)
    if name is None:
        raise VolumeError(
            f"{header.path} is compressed in a way that is not supported (transfer syntax "
            f"{header.syntax}); convert it to an uncompressed one."
        )
    decode: Callable[..., Any] = getattr(imagecodecs, f"{name}_decode")

    def run(encoded: bytes) -> Stored:
        if name == "dicomrle":
            stored_type = form.dtype.newbyteorder("<")
            return np.frombuffer(decode(encoded, stored_type), stored_type).reshape(shape)
        return np.asarray(decode(encoded))

    return run


def _as_stored(header: Header, decoded: Stored, form: PixelFormat) -> Stored:
    """Decoded numbers as the header means them: codecs may return signed ones as unsigned."""
    if decoded.dtype.kind not in "iu":
        raise cut_short(header.path)
    low, high = int(decoded.min()), int(decoded.max())
    if low < form.bounds[0] or high >= 1 << form.bits:
        raise _beyond_bits(header, form)
    return decoded.astype(form.dtype)


def _clean(header: Header, frame: Stored, form: PixelFormat, notes: set[str]) -> None:
    """Fill the unused high bits of a frame: with the sign, or zeros."""
    unused = form.dtype.itemsize * 8 - form.bits
    if unused == 0:
        return
    low, high = int(frame.min()), int(frame.max())
    if form.bounds[0] <= low and high <= form.bounds[1]:
        return
    if not form.is_masked:
        # Bits above a voxel's are all 0 or all 1 if its writer meant no number in them.
        above = np.right_shift(frame.view(f"u{form.dtype.itemsize}"), form.bits)
        if not np.isin(above, (0, (1 << unused) - 1)).all():
            raise _beyond_bits(header, form)
        if form.dtype.kind == "u":
            notes.add(f"some voxels have bits above the {form.bits} stated ones, which are cut off")
    np.left_shift(frame, unused, out=frame)
    np.right_shift(frame, unused, out=frame)


def _beyond_bits(header: Header, form: PixelFormat) -> VolumeError:
    return VolumeError(
        f"{header.path} has voxels beyond the {form.bits} bits that its header states; export it "
        "again."
    )
