"""Checks for files that ITK reads silently but should reject: truncated files, invalid grids.

ITK fills the missing voxels of a truncated NIfTI file with zeros, replaces a zero spacing by 1 mm,
and prints a warning instead of raising if a NIfTI header is damaged or a MetaImage file is short.
These checks read the headers only. Formats: NIfTI-1 (nifti1.h), MetaImage (MetaIO's key = value
header).
"""

from __future__ import annotations

import gzip
import logging
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import GeometryError, VolumeError

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
# Bytes of a voxel by NIfTI datatype code.
_NIFTI_BYTES = {2: 1, 4: 2, 8: 4, 16: 4, 32: 8, 64: 8, 128: 3, 256: 1, 512: 2, 768: 4, 1024: 8}
_NIFTI_BYTES |= {1280: 8, 1536: 16, 1792: 16, 2048: 32, 2304: 4}
# Format and offset in the header of dim; datatype; pixdim; vox_offset; qform_code and sform_code;
# and the six numbers of the quaternion and its offset, followed by the twelve of the sform.
_NIFTI_FIELDS = (("8h", 40), ("h", 70), ("8f", 76), ("f", 108), ("2h", 252), ("18f", 256))
# Headers store a rotation in single precision, so that two forms of one grid differ by slightly
# more than 1e-3 mm at the far corners of a large volume.
_FORM_TOLERANCE_MM = 1e-3
_FORM_TOLERANCE_VOXELS = 0.01


def check_header(path: Path) -> None:
    """Check that a file is complete and has a usable grid.

    If the two grids of a NIfTI file disagree, a warning is logged.

    Raises:
        VolumeError: the file is truncated.
        GeometryError: it has no usable grid.
        OSError: it cannot be opened.
    """
    name = path.name.lower()
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    if name.endswith(".gz") and not zipped:
        raise VolumeError(f"{path} ends in .gz but is not gzip-compressed; correct its ending.")
    if name.endswith((".nii", ".nii.gz")):
        _check_nifti(path)
    elif name.endswith((".mha", ".mhd")):
        _check_metaimage(path)


def _check_nifti(path: Path) -> None:
    zipped = path.name.lower().endswith(".gz")
    ending = path.name[-7 if zipped else -4 :]
    if ending not in (ending.lower(), ending.upper()):
        raise VolumeError(
            f"{path} ends in {ending}, which is not supported; rename it to lower case."
        )
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            header = stream.read(348)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _unzipping_failed(path, error) from error
    if len(header) < 348:
        raise _truncated(path)
    sizes = {order: struct.unpack_from(order + "i", header)[0] for order in "<>"}
    if 540 in sizes.values():
        raise VolumeError(
            f"{path} is a NIfTI-2 file, which is not supported; convert it to NIfTI-1."
        )
    order = next((o for o, size in sizes.items() if size == 348), None)
    if order is None:
        raise VolumeError(f"{path} does not begin with a NIfTI header; check its format.")
    dim, (datatype,), pixdim, (offset,), codes, forms = (
        struct.unpack_from(order + form, header, start) for form, start in _NIFTI_FIELDS
    )
    shape = [max(n, 1) if axis > 2 else n for axis, n in enumerate(dim[1 : 1 + dim[0]])]
    faults = {
        f"its axes are {dim}": not 1 <= dim[0] <= 7 or min(shape, default=0) < 1,
        f"the code of its voxels' type is {datatype}": datatype not in _NIFTI_BYTES,
        f"its voxels begin at byte {offset}": not 0 <= offset < math.inf,
    }
    if any(faults.values()):
        fault = next(fault for fault, is_present in faults.items() if is_present)
        raise VolumeError(f"The header of {path} is damaged ({fault}); copy or download it again.")
    _check_spacing(path, pixdim[1:4][: len(shape)])
    if codes[1] > 0 and not all(map(math.isfinite, forms[6:])):
        raise GeometryError(f"The axes of {path} are NaN or infinite; repair its header.")
    expected = int(offset) + math.prod(shape) * _NIFTI_BYTES[datatype]
    if (_unzipped_size(path, expected) if zipped else path.stat().st_size) < expected:
        raise _truncated(path)
    if min(codes) > 0:
        _compare_forms(path, shape[:3], _qform(pixdim, forms[:6]), np.reshape(forms[6:], (3, 4)))


def _qform(pixdim: Sequence[float], numbers: Sequence[float]) -> NDArray[np.float64]:
    """The (3, 4) matrix from the quaternion's b, c, d and the offset (method 2 of nifti1.h)."""
    b, c, d = numbers[:3]
    rest = 1 - (b * b + c * c + d * d)
    if rest < 1e-7:
        b, c, d = np.array([b, c, d]) / math.hypot(b, c, d)
    a = math.sqrt(max(rest, 0)) if rest >= 1e-7 else 0.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    spacing = np.array(pixdim[1:4]) * (1, 1, -1 if pixdim[0] < 0 else 1)
    return np.column_stack([rotation * spacing, numbers[3:6]])


def _compare_forms(
    path: Path, shape_ijk: Sequence[int], qform: NDArray[np.float64], sform: NDArray[np.float64]
) -> None:
    axes = [(0, n - 1) for n in [*shape_ijk, 1, 1][:3]]
    corners = np.array(np.meshgrid(*axes, (1,), indexing="ij")).reshape(4, 8)
    apart_mm = float(np.linalg.norm((qform - sform) @ corners, axis=0).max())
    voxel_mm = float(np.linalg.norm(sform[:, :3], axis=0).min())
    if not apart_mm <= max(_FORM_TOLERANCE_MM, _FORM_TOLERANCE_VOXELS * voxel_mm):
        logging.getLogger("MedSegFMLib").warning(
            "%s has two grids (qform and sform) up to %.3g mm apart and is read as in ITK and "
            "Slicer; other programs may place it elsewhere.",
            path,
            apart_mm,
        )


def _unzipped_size(path: Path, expected: int) -> int:
    """The size of the unzipped file: from the trailer if that is as expected, else by unzipping."""
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
        raise _unzipping_failed(path, error) from error
    return size


def _check_metaimage(path: Path) -> None:
    with path.open("rb") as stream:
        fields: dict[str, str] = {}
        while "ElementDataFile" not in fields:
            line = stream.readline(4096)
            key, separator, value = line.decode("utf-8", "surrogateescape").partition("=")
            if not separator:
                raise _truncated(path)
            fields[key.strip()] = value.strip()
        data_start = stream.tell()
    data = fields["ElementDataFile"]
    try:
        shape = [int(n) for n in fields["DimSize"].split()]
        spacing = [float(v) for v in fields.get("ElementSpacing", "").split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        voxel_bytes = _META_BYTES[fields["ElementType"].removeprefix("MET_")]
        stated = int(fields.get("CompressedDataSize", "-1"))
    except (KeyError, ValueError) as error:
        raise VolumeError(f"The header of {path} is damaged ({error}).") from error
    if not data or "\0" in data or min(shape, default=0) < 1:
        raise VolumeError(
            f"The header of {path} is damaged (DimSize {fields['DimSize']}, ElementDataFile "
            f"{data!r}); copy or download it again."
        )
    _check_spacing(path, spacing[:3])
    if data.split()[0] == "LIST" or "%" in data:
        return
    file = path if data == "LOCAL" else path.parent / data
    if not file.is_file():
        raise VolumeError(f"The voxels of {path} should be in {file}, which is missing.")
    start = data_start if data == "LOCAL" else 0
    stored = file.stat().st_size - start
    expected = math.prod(shape) * channels
    if fields.get("BinaryData", "True")[:1] in ("F", "f", "0"):
        with file.open("rb") as stream:
            stream.seek(start)
            if len(stream.read().split()) < expected:
                raise _truncated(path)
    elif fields.get("CompressedData", "False")[:1] in ("T", "t", "1"):
        # If the stated size is too small, ITK returns uninitialised voxels, so it must be exact.
        if stated not in (-1, stored):
            raise VolumeError(
                f"{path} states {stated} bytes of compressed voxels and {file.name} holds "
                f"{stored}; the file was cut short or its header is wrong."
            )
    elif fields.get("HeaderSize", "0") == "0" and stored < expected * voxel_bytes:
        raise _truncated(path)


def _check_spacing(path: Path, spacing_mm: tuple[float, ...] | list[float]) -> None:
    if not all(math.isfinite(v) and v != 0 for v in spacing_mm):
        raise GeometryError(
            f"The spacing of {path} is {tuple(spacing_mm)} mm and must be finite and not 0; "
            "repair its header."
        )


def _unzipping_failed(path: Path, error: Exception) -> VolumeError:
    if isinstance(error, EOFError):
        return _truncated(path)
    return VolumeError(f"{path} cannot be unzipped ({error}); copy or download it again.")


def _truncated(path: Path) -> VolumeError:
    return VolumeError(f"{path} ends too early: it was cut short; copy or download it again.")
