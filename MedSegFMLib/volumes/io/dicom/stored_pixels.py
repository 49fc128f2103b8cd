"""The stored voxels of DICOM files, exactly: uncompressed ones in place, others by imagecodecs."""

from __future__ import annotations

import struct
import sys
from collections.abc import Collection, Iterator
from io import BytesIO
from typing import BinaryIO

import numpy as np

from ....errors import VolumeError
from .codecs import Stored, check_fragments, decoder, extended_offsets
from .damage import DamageNamed, cut_short
from .header import DEFLATED, Header
from .pixel_format import PixelFormat, beyond_bits, pixel_format

_UNDEFINED = 0xFFFFFFFF
_PIXEL_DATA = 0x7FE00010
_LONG_VRS = (b"OB", b"OW", b"UN")
_NATIVE = (*(f"1.2.840.10008.1.2{suffix}" for suffix in ("", ".1", ".2")), DEFLATED)


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
    with header.path.open("rb") as file, DamageNamed(header.path):
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

    decode = decoder(header, form, shape)
    if _open_element(header, stream)[0] != _UNDEFINED:
        raise cut_short(header.path)
    start = stream.tell()
    check_fragments(header, stream)
    stream.seek(start)
    offsets = extended_offsets(header)
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


def _as_stored(header: Header, decoded: Stored, form: PixelFormat) -> Stored:
    """Decoded numbers as the header means them: codecs may return signed ones as unsigned."""
    if decoded.dtype.kind not in "iu":
        raise cut_short(header.path)
    low, high = int(decoded.min()), int(decoded.max())
    if low < form.bounds[0] or high >= 1 << form.bits:
        raise beyond_bits(header, form)
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
            raise beyond_bits(header, form)
        if form.dtype.kind == "u":
            notes.add(f"some voxels have bits above the {form.bits} stated ones, which are cut off")
    np.left_shift(frame, unused, out=frame)
    np.right_shift(frame, unused, out=frame)
