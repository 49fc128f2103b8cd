"""Hostile image files: changed headers, changed voxels, forged fields, other formats.

ITK runs in this process, so that a crash of it ends the run, and is seen.
"""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.volumes.io import image_files

NAME = "image files"
# The name of a file and its content; and whether a reading that succeeds must return `VOXELS`.
Payload = tuple[str, bytes, bool]
VOXELS = np.random.default_rng(0).integers(-500, 500, (6, 7, 8)).astype(np.int16)
_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")
_GARBAGE = (
    "",
    "nan",
    "1e999",
    "-1",
    "0",
    "73",
    "999999999999",
    "%n.raw 1 2 1",
    "LIST",
    "x",
    "/etc",
)
_GARBAGE = (*_GARBAGE, "(1,0,0)", "(((", "none", "../v.raw", "True", "2147483647", "1 2", "É" * 300)
_META = """ObjectType = Image
NDims = 3
BinaryData = True
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 0 0 0
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = 1 1 1
DimSize = 8 7 6
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""
_NRRD = """NRRD0005
type: short
dimension: 3
space: left-posterior-superior
sizes: 8 7 6
space directions: (1,0,0) (0,1,0) (0,0,1)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (0,0,0)

"""
_EXTRA = ("HeaderSize", "CompressedDataSize", "ElementNumberOfChannels", "Comment", "Name")
_EXTRA = (*_EXTRA, "Position", "Rotation", "ElementSize", "Color", "ID", "NDims", "DistanceUnits")
_OTHERS = {
    ".gipl": b"\0\x08\0\x07\0\x06\0\x01" + bytes(300),
    ".vtk": b"# vtk DataFile Version 3.0\nx\nBINARY\nDATASET STRUCTURED_POINTS\n",
    ".mrc": bytes(1100),
    ".img.gz": gzip.compress(bytes(900)),
    ".png": b"\x89PNG\r\n\x1a\n" + bytes(60),
    ".tif": b"II*\0" + bytes(60),
}


def inputs(rng: random.Random) -> Iterator[Payload]:
    """Endless hostile files."""
    kinds = (_flipped_bit, _cut, _forged_text, _forged_text, _forged_nifti, _other)
    while True:
        yield rng.choice(kinds)(rng)


def escape(payload: Payload, folder: Path) -> str | None:
    """Read a file; a description of what should not happen, or None."""
    name, content, is_checked = payload
    path = folder / name
    path.write_bytes(content)
    try:
        volume = Volume.read(path)
    except MedSegFMError as error:
        return f"a message of several lines: {error}" if "\n" in str(error) else None
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    finally:
        path.unlink()
    if is_checked and not np.array_equal(volume.array_kji, VOXELS):
        return f"{name} was read with other voxels"
    return None


def good_file(ending: str, folder: Path) -> bytes:
    """The content of a file as this library writes it."""
    path = folder / f"good{ending}"
    image_files.write_volume(Volume(VOXELS, Geometry(VOXELS.shape, np.eye(4))), path)
    return path.read_bytes()


def compressed(ending: str) -> tuple[bytes, int]:
    """A compressed file, and the position of its payload."""
    raw = VOXELS.astype("<i2").tobytes()
    if ending == ".mha":
        data = zlib.compress(raw)
        head = _META.replace("CompressedData = False", "CompressedData = True")
        head = head.replace("Element", f"CompressedDataSize = {len(data)}\nElement", 1)
    elif ending == ".nrrd":
        data, head = gzip.compress(raw, mtime=0), _NRRD.replace("raw", "gzip")
    else:
        data, head = gzip.compress(nifti(), mtime=0), ""
    return head.encode() + data, len(head)


def nifti() -> bytes:
    """An uncompressed NIfTI file with `VOXELS`."""
    header = np.zeros(352, np.uint8)
    for position, dtype, values in (
        (0, "<i4", [348]),
        (40, "<i2", [3, 8, 7, 6, 1, 1, 1, 1]),
        (70, "<i2", [4, 16]),
        (76, "<f4", [1] * 8),
        (108, "<f4", [352, 1, 0]),
        (252, "<i2", [0, 1]),
        (280, "<f4", [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]),
        (344, "<u1", list(b"n+1\0")),
    ):
        raw = np.array(values, dtype).view(np.uint8)
        header[position : position + len(raw)] = raw
    return header.tobytes() + VOXELS.astype("<i2").tobytes()


def _flipped_bit(rng: random.Random) -> Payload:
    """One changed bit in a compressed payload, which must be refused or make no difference."""
    ending = rng.choice((".mha", ".nrrd", ".nii.gz"))
    content, start = compressed(ending)
    data = bytearray(content)
    data[rng.randrange(start, len(data))] ^= 1 << rng.randrange(8)
    return f"v{ending}", bytes(data), True


def _cut(rng: random.Random) -> Payload:
    ending = rng.choice((".mha", ".nrrd", ".nii.gz", ".nii"))
    content = nifti() if ending == ".nii" else compressed(ending)[0]
    cut = rng.randrange(len(content))
    content = rng.choice((content[:cut], content[:cut] + content[cut + 1 :], content + b"surplus"))
    return f"v{ending}", content, True


def _forged_text(rng: random.Random) -> Payload:
    """A MetaImage or NRRD header with lines changed, added, removed, repeated and exchanged."""
    is_meta = rng.random() < 0.6
    lines = (_META if is_meta else _NRRD).rstrip("\n").split("\n")
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        number = rng.randrange(len(lines))
        separator = " = " if is_meta else ": "
        key = lines[number].partition(separator)[0]
        action = rng.randrange(6)
        if action < 3:
            lines[number] = f"{key}{separator}{rng.choice(_GARBAGE)}"
        elif action == 3:
            lines.insert(
                number, f"{rng.choice(_EXTRA)}{rng.choice((separator, ':'))}{rng.choice(_GARBAGE)}"
            )
        elif action == 4:
            lines.insert(rng.randrange(len(lines)), lines[number])
        else:
            lines[number] = lines[number].replace(rng.choice("0123 :="), rng.choice("\0\r:;9"), 1)
    text = "\n".join(lines) + ("\n" if is_meta else "\n\n")
    content = text.encode() + VOXELS.astype("<i2").tobytes()
    return f"v{'.mha' if is_meta else '.nrrd'}", content, False


def _forged_nifti(rng: random.Random) -> Payload:
    data = bytearray(nifti())
    for _ in range(rng.choice((1, 2, 4, 16))):
        data[rng.randrange(348)] = rng.choice((0, 1, 0xFF, 0x7F, 0x80, rng.randrange(256)))
    ending = rng.choice((".nii", ".nii.gz"))
    return f"v{ending}", gzip.compress(bytes(data)) if ending == ".nii.gz" else bytes(data), False


def _other(rng: random.Random) -> Payload:
    """Another format under its own or a supported name, or noise."""
    ending, content = rng.choice(list(_OTHERS.items()))
    if rng.random() < 0.5:
        ending = rng.choice((*_ENDINGS, ".mhd", ".nhdr", ".hdr", ".img", ".dcm", ""))
    content = rng.choice((content, rng.randbytes(400), bytes(128) + b"DICM" + rng.randbytes(300)))
    return f"v{ending}", content, False
