"""What ITK reads without complaint and should not: files cut short and headers without a grid.

ITK fills the missing voxels of a truncated NIfTI file with zeros, takes a zero spacing as 1 mm, and
prints instead of raising where a MetaImage file is short. These checks read the headers alone.
Formats: NIfTI-1 and -2 (nifti1.h, nifti2.h), MetaImage (MetaIO's key = value header).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

from .errors import GeometryError, VolumeError

_META_BYTES = {
    "CHAR": 1,
    "UCHAR": 1,
    "SHORT": 2,
    "USHORT": 2,
    "INT": 4,
    "UINT": 4,
    "LONG": 4,
    "ULONG": 4,
    "LONG_LONG": 8,
    "ULONG_LONG": 8,
    "FLOAT": 4,
    "DOUBLE": 8,
}


def check_header(path: Path) -> None:
    """Raise VolumeError for a file cut short, GeometryError for one without a usable grid."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        _check_nifti(path)
    elif name.endswith((".mha", ".mhd")):
        _check_metaimage(path)


def _check_nifti(path: Path) -> None:
    zipped = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            header = stream.read(540)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _truncated(path) from error
    if len(header) < 348:
        raise _truncated(path)
    order = next((o for o in "<>" if struct.unpack_from(o + "i", header)[0] in (348, 540)), None)
    if order is None:
        raise VolumeError(f"{path} does not begin with a NIfTI header; is it another format?")
    if struct.unpack_from(order + "i", header)[0] == 348:
        dim = struct.unpack_from(order + "8h", header, 40)
        bits = struct.unpack_from(order + "h", header, 72)[0]
        pixdim = struct.unpack_from(order + "8f", header, 76)
        offset = struct.unpack_from(order + "f", header, 108)[0]
        sform_code = struct.unpack_from(order + "h", header, 254)[0]
        sform = struct.unpack_from(order + "12f", header, 280)
    else:
        if len(header) < 540:
            raise _truncated(path)
        bits = struct.unpack_from(order + "h", header, 14)[0]
        dim = struct.unpack_from(order + "8q", header, 16)
        pixdim = struct.unpack_from(order + "8d", header, 104)
        offset = struct.unpack_from(order + "q", header, 168)[0]
        sform_code = struct.unpack_from(order + "i", header, 348)[0]
        sform = struct.unpack_from(order + "12d", header, 400)
    axes = dim[1 : 1 + max(0, min(7, dim[0]))]
    _check_spacing(path, pixdim[1:4][: len(axes)])
    if sform_code > 0 and not all(map(math.isfinite, sform)):
        raise GeometryError(f"The axes of {path} are NaN or infinite; repair its header.")
    expected = int(offset) + math.prod(axes) * bits // 8
    if (_unzipped_size(path, expected) if zipped else path.stat().st_size) < expected:
        raise _truncated(path)


def _unzipped_size(path: Path, expected: int) -> int:
    """The size of the unzipped file: from the trailer where that is right, else by unzipping."""
    with path.open("rb") as stream:
        stream.seek(-4, 2)
        if struct.unpack("<I", stream.read(4))[0] == expected % 2**32:
            return expected
    size = 0
    try:
        with gzip.open(path) as unzipped:
            while block := unzipped.read(1 << 22):
                size += len(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _truncated(path) from error
    return size


def _check_metaimage(path: Path) -> None:
    with path.open("rb") as stream:
        fields: dict[str, str] = {}
        while "ElementDataFile" not in fields:
            line = stream.readline(4096)
            key, found, value = line.decode("latin-1").partition("=")
            if not found:
                raise _truncated(path)
            fields[key.strip()] = value.strip()
        data_start = stream.tell()
    try:
        shape = [int(n) for n in fields["DimSize"].split()]
        spacing = [float(v) for v in fields.get("ElementSpacing", "").split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        voxel_bytes = _META_BYTES[fields["ElementType"].removeprefix("MET_")]
    except (KeyError, ValueError) as error:
        raise VolumeError(f"The header of {path} is damaged ({error}).") from error
    _check_spacing(path, spacing[:3])
    data = fields["ElementDataFile"]
    if data.split()[0] == "LIST" or "%" in data:
        return
    file = path if data == "LOCAL" else path.parent / data
    if not file.is_file():
        raise VolumeError(f"The voxels of {path} should be in {file}, which is missing.")
    held = file.stat().st_size - (data_start if data == "LOCAL" else 0)
    expected = math.prod(shape) * channels * voxel_bytes
    if fields.get("CompressedData", "False").lower() == "true":
        # An understated size makes ITK return uninitialised voxels, so it must be exact.
        stated = int(fields.get("CompressedDataSize", held))
        if stated != held:
            raise VolumeError(
                f"{path} states {stated} bytes of compressed voxels and {file.name} holds {held}; "
                "the file was cut short or its header is wrong."
            )
    elif fields.get("HeaderSize", "0") == "0" and held < expected:
        raise _truncated(path)


def _check_spacing(path: Path, spacing_mm: tuple[float, ...] | list[float]) -> None:
    if not all(math.isfinite(v) and v != 0 for v in spacing_mm):
        raise GeometryError(
            f"The spacing of {path} is {tuple(spacing_mm)} mm and must be finite and not 0; "
            "repair its header."
        )


def _truncated(path: Path) -> VolumeError:
    return VolumeError(f"{path} ends too early: it was cut short; copy or download it again.")
