"""The header of a NIfTI-1 or NIfTI-2 file (nifti1.h, nifti2.h), parsed strictly."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import VolumeError
from .header_values import (
    Payload,
    check_position,
    check_spacing,
    damaged,
    not_one_volume,
    truncated,
)
from .length_units import nifti_unit
from .nifti_grid import Forms, Matrix, nifti_grid
from .payload_checks import check_payload, first_inflated

# Bytes of a voxel by NIfTI datatype code, and the types of those with one real number.
_VOXEL_BYTES = {2: 1, 4: 2, 8: 4, 16: 4, 32: 8, 64: 8, 128: 3, 256: 1, 512: 2, 768: 4, 1024: 8}
_VOXEL_BYTES |= {1280: 8, 1536: 16, 1792: 16, 2048: 32, 2304: 4}
_REAL = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_REAL |= {1024: "i8", 1280: "u8"}
_COLOUR, _COMPLEX = {128: 3, 2304: 4}, (32, 1792, 2048)
# Format and offset in the header of each field, by the header's size.
_FIELDS: Mapping[int, Mapping[str, tuple[str, int]]] = {
    348: {
        "dim": ("8h", 40),
        "datatype": ("h", 70),
        "pixdim": ("8f", 76),
        "vox_offset": ("f", 108),
        "scaling": ("2f", 112),
        "units": ("B", 123),
        "codes": ("2h", 252),
        "qform": ("6f", 256),
        "sform": ("12f", 280),
    },
    540: {
        "dim": ("8q", 16),
        "datatype": ("h", 12),
        "pixdim": ("8d", 104),
        "vox_offset": ("q", 168),
        "scaling": ("2d", 176),
        "units": ("i", 500),
        "codes": ("2i", 344),
        "qform": ("6d", 352),
        "sform": ("12d", 400),
    },
}
_MAGIC = {348: (344, b"n+1\0", b"ni1\0"), 540: (4, b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")}
# The four bytes behind a header that state whether it is extended.
_EXTENDER_BYTES = 4
_LARGEST_OFFSET = 1 << 31


@dataclass(frozen=True)
class NiftiFile:
    """A NIfTI file whose header and voxels were checked.

    Attributes:
        payload: the place and size of its voxels.
        dtype: their type, in the file's byte order.
        shape_ijk: the first three axes.
        volumes: the number of volumes on the grid.
        scaling: slope and intercept; None if values are stored as they are.
        matrix: (4, 4) from voxels to RAS.
        notes: clauses on what a user should know.
    """

    payload: Payload
    dtype: np.dtype[np.generic]
    shape_ijk: tuple[int, int, int]
    volumes: int
    scaling: tuple[float, float] | None
    matrix: Matrix
    notes: Sequence[str]


def header_of_pair(path: Path) -> Path:
    """The .hdr file of a path that names it or its .img file."""
    ending = ".HDR" if path.suffix.isupper() else ".hdr"
    return path.with_suffix(ending)


def check_nifti_file(path: Path, is_zipped: bool, is_pair: bool) -> NiftiFile:
    """Check a NIfTI file, its header and the size and checksum of its voxels.

    Args:
        path: the .nii, .nii.gz or .hdr file.
        is_zipped: whether it is gzip-compressed.
        is_pair: whether its voxels are in an .img file beside it.

    Raises:
        VolumeError: it is damaged, of another format, or does not have three axes of real numbers
            or a fourth for volumes on one grid.
        GeometryError: the grid is not usable.
        OSError: the file cannot be read.
    """
    header = _first_bytes(path, is_zipped)
    order, size = _layout(path, header, is_pair)
    fields = {
        name: struct.unpack_from(order + form, header, start)
        for name, (form, start) in _FIELDS[size].items()
    }
    dim, (datatype,), (offset,) = fields["dim"], fields["datatype"], fields["vox_offset"]
    shape = [max(n, 1) if axis > 2 else n for axis, n in enumerate(dim[1 : 1 + dim[0]])]
    faults = {
        f"its axes are {dim}": not 1 <= dim[0] <= 7 or min(shape, default=0) < 1,
        f"the code of its voxels' type is {datatype}": datatype not in _VOXEL_BYTES,
        f"its voxels begin at byte {offset:g}": not 0 <= offset < _LARGEST_OFFSET
        or offset != int(offset),
    }
    fault = next((fault for fault, is_present in faults.items() if is_present), None)
    if fault is not None:
        raise damaged(path, fault)
    check_spacing(path, fields["pixdim"][1:4][: len(shape)])
    if fields["codes"][1] > 0:
        check_position(path, "The sform", fields["sform"])
    if fields["codes"][0] > 0:
        check_position(path, "The qform", fields["qform"])
    if len(shape) < 3 or any(n > 1 for n in shape[4:]):
        raise not_one_volume(str(path), shape)
    _check_real(path, datatype)
    shape_ijk = (shape[0], shape[1], shape[2])
    matrix, notes = nifti_grid(path, shape_ijk, _forms(fields))
    unit_mm, note = nifti_unit(int(fields["units"][0]))
    matrix[:3] *= unit_mm
    notes += [note] if note else []
    file = _file_of_voxels(path) if is_pair else path
    values, voxel_bytes = math.prod(shape), _VOXEL_BYTES[datatype]
    behind = [size + _EXTENDER_BYTES, size]
    starts = [int(offset)] if is_pair or offset >= size else behind
    payload = _checked_payload(path, file, is_zipped, starts, values, voxel_bytes)
    if not is_pair and offset < size:
        notes.append("states that its voxels begin in its header; they are read from behind it")
    return NiftiFile(
        payload,
        np.dtype(order + _REAL[datatype]),
        shape_ijk,
        shape[3] if len(shape) > 3 else 1,
        _scaling(path, *fields["scaling"]),
        matrix,
        notes,
    )


def _first_bytes(path: Path, is_zipped: bool) -> bytes:
    if is_zipped:
        return first_inflated(path, max(_FIELDS))
    with path.open("rb") as stream:
        return stream.read(max(_FIELDS))


def _layout(path: Path, header: bytes, is_pair: bool) -> tuple[str, int]:
    """The byte order and the size of the header."""
    if len(header) < min(_FIELDS):
        raise truncated(path)
    sizes = {(order, struct.unpack_from(order + "i", header)[0]) for order in "<>"}
    order, size = next(((o, n) for o, n in sizes if n in _FIELDS), ("", 0))
    if not size:
        raise VolumeError(f"{path} does not begin with a NIfTI header; check its format.")
    if len(header) < size:
        raise truncated(path)
    at, single, pair = _MAGIC[size]
    magic = pair if is_pair else single
    found = header[at : at + len(magic)]
    if found != magic:
        raise VolumeError(
            f"{path} is marked {ascii(found)[1:]} instead of {ascii(magic)[1:]}: an Analyze file, "
            "whose orientation is not defined, or damaged; convert it to NIfTI-1."
        )
    return order, size


def _forms(fields: Mapping[str, tuple[float, ...]]) -> Forms:
    codes = fields["codes"]
    return Forms(
        fields["pixdim"],
        (int(codes[0]), int(codes[1])),
        fields["qform"][:3],
        fields["qform"][3:],
        np.reshape(fields["sform"], (3, 4)).astype(np.float64),
    )


def _check_real(path: Path, datatype: int) -> None:
    if datatype in _COLOUR:
        raise VolumeError(
            f"{path} has {_COLOUR[datatype]} values per voxel (colour or vectors); one grey value "
            "per voxel is needed."
        )
    if datatype in _COMPLEX:
        raise VolumeError(f"{path} is complex; store its magnitude as a separate volume.")
    if datatype not in _REAL:
        raise VolumeError(f"{path} has voxels of 128 bits; convert them to 64.")


def _file_of_voxels(path: Path) -> Path:
    image = path.with_suffix(".IMG" if path.suffix.isupper() else ".img")
    if not image.exists():
        raise VolumeError(f"The voxels of {path} should be in {image}, which is missing.")
    return image


def _checked_payload(
    path: Path, file: Path, is_zipped: bool, starts: Sequence[int], values: int, voxel_bytes: int
) -> Payload:
    """The voxels behind the header, at the first of several places at which the sizes agree."""
    for n, start in enumerate(starts):
        place = (0, "gzip") if is_zipped else (start, "raw")
        skipped = start if is_zipped else 0
        payload = Payload(path, file, *place, values, voxel_bytes, skipped=skipped)
        try:
            check_payload(payload)
        except VolumeError:
            if n == len(starts) - 1:
                raise
        else:
            return payload
    raise truncated(path)


def _scaling(path: Path, slope: float, intercept: float) -> tuple[float, float] | None:
    """None for a slope of 0 or NaN, which means that there is none."""
    if slope == 0 or math.isnan(slope):
        return None
    if not math.isfinite(slope) or not math.isfinite(intercept):
        raise damaged(path, f"its values are scaled by {slope:g} and {intercept:g}")
    return None if (slope, intercept) == (1, 0) else (slope, intercept)
