"""Hostile DICOM folders: damaged and truncated files, forged sizes, deep and endless sequences.

The decoders of compressed voxels run in this process, so that a crash of one ends the run, and is
seen.
"""

from __future__ import annotations

import random
import struct
import tempfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from dicom_files import (
    BIG,
    DEFLATED,
    ENCODERS,
    EXPLICIT,
    IMPLICIT,
    noise,
    slices,
    write_enhanced,
    write_files,
)

from MedSegFMLib import Volume
from MedSegFMLib.errors import MedSegFMError

NAME = "DICOM folders"
# The files by name; and whether a reading that succeeds must return `VOXELS`.
Payload = tuple[dict[str, bytes], bool]
VOXELS = noise((4, 6, 7))
_SYNTAXES = (EXPLICIT, IMPLICIT, BIG, DEFLATED, *ENCODERS)
_LENGTHS = (0, 1, 2, 3, 8, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_NUMBERS = (b"nan", b"1e999", b"-1", b"0", b"1\\2", b"\xff\xfe", b"9" * 40, b"1_0", b"")
# Tags whose values become sizes, places or values.
_TAGS = ((0x28, 0x10), (0x28, 0x11), (0x28, 0x8), (0x28, 0x100), (0x28, 0x101), (0x28, 0x103))
_TAGS += ((0x20, 0x32), (0x20, 0x37), (0x28, 0x30), (0x28, 0x1052), (0x28, 0x1053), (0x20, 0x13))


def inputs(rng: random.Random) -> Iterator[Payload]:
    """Endless hostile folders."""
    kinds = (_flipped, _flipped, _cut, _forged, _forged, _forged, _deep, _bomb, _noise)
    while True:
        yield rng.choice(kinds)(rng)


def escape(payload: Payload, folder: Path) -> str | None:
    """Read a folder; a description of what should not happen, or None."""
    files, is_checked = payload
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        volume = Volume.read(folder)
    except MedSegFMError as error:
        said = str(error)
        if "\n" in said or "Doe" in said or "4711" in said:
            return f"a message of several lines, or with the patient: {error}"
        return None
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    if is_checked and not np.array_equal(volume.array_kji, VOXELS):
        return f"{sorted(files)} were read with other voxels"
    return None


@cache
def good_files(syntax: str, is_enhanced: bool) -> dict[str, bytes]:
    """The files of a series that is read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if is_enhanced:
            write_enhanced(folder / "a.dcm", slices(VOXELS), "MR", syntax)
        else:
            write_files(folder, slices(VOXELS), "CT", syntax)
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _series(rng: random.Random) -> tuple[dict[str, bytes], str]:
    """The files of a series and the name of the one to be changed."""
    files = dict(good_files(rng.choice(_SYNTAXES), rng.random() < 0.3))
    return files, rng.choice(sorted(files))


def _flipped(rng: random.Random) -> Payload:
    files, name = _series(rng)
    data = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(128, len(data))] = rng.choice(
            (0, 1, 0x5C, 0x7F, 0xFF, rng.randrange(256))
        )
    return files | {name: bytes(data)}, False


def _cut(rng: random.Random) -> Payload:
    files, name = _series(rng)
    data = files[name]
    # The last bytes may be padding behind a deflated stream.
    return files | {name: data[: rng.randrange(len(data) - 2)]}, True


def _forged(rng: random.Random) -> Payload:
    """An element's length or value replaced, with the rest of the file as it is."""
    is_enhanced = rng.random() < 0.3
    files = dict(good_files(rng.choice((EXPLICIT, *ENCODERS)), is_enhanced))
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    tag = struct.pack("<HH", *rng.choice(_TAGS))
    at = bytes(data).find(tag, 132)
    if at >= 0:
        if rng.random() < 0.4:
            length = rng.choice(_LENGTHS)
            struct.pack_into("<H", data, at + 6, min(length, 0xFFFF))
        else:
            (length,) = struct.unpack_from("<H", data, at + 6)
            value = rng.choice((rng.choice(_NUMBERS), rng.randbytes(length), b"\xff" * length))
            data[at + 8 : at + 8 + length] = value.ljust(length)[:length]
    pixels = bytes(data).find(b"\xe0\x7f\x10\x00")
    if rng.random() < 0.3 and pixels >= 0:
        struct.pack_into("<I", data, pixels + 8, rng.choice(_LENGTHS))
    return files | {name: bytes(data)}, False


def _deep(rng: random.Random) -> Payload:
    """Sequences in sequences, with and without an end."""
    files = dict(good_files(EXPLICIT, False))
    name = rng.choice(sorted(files))
    depth = rng.choice((3, 60, 2000, 20000))
    tag = rng.choice((b"\x08\x00\x40\x11", b"\x28\x00\x00\x30", b"\x00\x52\x29\x92"))
    head = tag + b"SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    tail = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    nested = head * depth + (tail * depth if rng.random() < 0.5 else b"")
    data = files[name]
    at = data.find(b"\x08\x00\x60\x00CS")
    return files | {name: data[:at] + nested + data[at:]}, False


def _bomb(rng: random.Random) -> Payload:
    """A deflated file of many zeros."""
    files = dict(good_files(DEFLATED, False))
    name = rng.choice(sorted(files))
    data = files[name]
    at = data.find(b"\x02\x00\x00\x00UL\x04\x00")
    (length,) = struct.unpack_from("<I", data, at + 8)
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = pack.compress(bytes(rng.choice((10, 1 << 16, 1 << 24)))) + pack.flush()
    return files | {name: data[: at + 12 + length] + zeros}, False


def _noise(rng: random.Random) -> Payload:
    files, name = _series(rng)
    start = rng.choice((b"", bytes(128) + b"DICM", b"\x08\x00", bytes(128) + b"DICM\x02\x00"))
    other = rng.choice((name, "x.dcm", "x", "x.txt"))
    return files | {other: start + rng.randbytes(rng.choice((0, 3, 400, 5000)))}, False
