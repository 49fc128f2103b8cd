"""The header of a NIfTI-1 file (nifti1.h), parsed strictly."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError
from .header_values import (
    Payload,
    check_position,
    check_spacing,
    damaged,
    not_one_volume,
    truncated,
)
from .payload_checks import first_inflated

# Bytes of a voxel by NIfTI datatype code.
_VOXEL_BYTES = {2: 1, 4: 2, 8: 4, 16: 4, 32: 8, 64: 8, 128: 3, 256: 1, 512: 2, 768: 4, 1024: 8}
_VOXEL_BYTES |= {1280: 8, 1536: 16, 1792: 16, 2048: 32, 2304: 4}
# Format and offset in the header of dim; datatype; pixdim; vox_offset; qform_code and sform_code;
# and the six numbers of the quaternion and its offset, followed by the twelve of the sform.
_FIELDS = (("8h", 40), ("h", 70), ("8f", 76), ("f", 108), ("2h", 252), ("18f", 256))
_HEADER_BYTES = 348
_LARGEST_OFFSET = 1 << 31
# Headers store a rotation in single precision, so that two forms of one grid differ by slightly
# more than 1e-3 mm at the far corners of a large volume.
_FORM_TOLERANCE_MM = 1e-3
_FORM_TOLERANCE_VOXELS = 0.01


def header_of_pair(path: Path) -> Path:
    """The .hdr file of a path that names it or its .img file."""
    ending = ".HDR" if path.suffix.isupper() else ".hdr"
    return path.with_suffix(ending)


def read_nifti_header(path: Path, is_zipped: bool, is_pair: bool) -> Payload:
    """Check the header of a NIfTI file and return where its voxels are.

    If its two grids disagree, a warning is logged.

    Args:
        path: the .nii, .nii.gz or .hdr file.
        is_zipped: whether it is gzip-compressed.
        is_pair: whether its voxels are in an .img file beside it.

    Raises:
        VolumeError: the header is damaged or of another format, or the file is not one 3D volume.
        GeometryError: the grid is not usable.
        OSError: the file cannot be read.
    """
    if is_zipped:
        header = first_inflated(path, _HEADER_BYTES)
    else:
        with path.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        raise truncated(path)
    order = _byte_order(path, header, b"ni1\0" if is_pair else b"n+1\0")
    dim, (datatype,), pixdim, (offset,), codes, forms = (
        struct.unpack_from(order + form, header, start) for form, start in _FIELDS
    )
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
    check_spacing(path, pixdim[1:4][: len(shape)])
    if codes[1] > 0:
        check_position(path, "The sform", forms[6:])
    if codes[0] > 0:
        check_position(path, "The qform", forms[:6])
    if len(shape) < 3 or any(n > 1 for n in shape[3:]):
        raise not_one_volume(str(path), shape)
    if min(codes) > 0:
        _compare_forms(path, shape[:3], _qform(pixdim, forms[:6]), np.reshape(forms[6:], (3, 4)))
    # ITK reads the voxels of a single file after the header if it states an offset inside it.
    start = int(offset) if is_pair else max(int(offset), _HEADER_BYTES)
    values, voxel_bytes = math.prod(shape), _VOXEL_BYTES[datatype]
    if is_pair:
        image = path.with_suffix(".IMG" if path.suffix.isupper() else ".img")
        if not image.exists():
            raise VolumeError(f"The voxels of {path} should be in {image}, which is missing.")
        return Payload(path, image, start, "raw", values, voxel_bytes)
    if is_zipped:
        return Payload(path, path, 0, "gzip", values, voxel_bytes, skipped=start)
    return Payload(path, path, start, "raw", values, voxel_bytes)


def _byte_order(path: Path, header: bytes, magic: bytes) -> str:
    sizes = {order: struct.unpack_from(order + "i", header)[0] for order in "<>"}
    if 540 in sizes.values():
        raise VolumeError(
            f"{path} is a NIfTI-2 file, which is not supported; convert it to NIfTI-1."
        )
    order = next((o for o, size in sizes.items() if size == _HEADER_BYTES), None)
    if order is None:
        raise VolumeError(f"{path} does not begin with a NIfTI header; check its format.")
    if header[344:348] != magic:
        raise VolumeError(
            f"{path} is marked {ascii(header[344:348])[1:]} instead of {ascii(magic)[1:]}: an "
            "Analyze file, whose orientation is not defined, or damaged; convert it to NIfTI-1."
        )
    return order


def _qform(pixdim: Sequence[float], quaternion_offset: Sequence[float]) -> NDArray[np.float64]:
    """The (3, 4) matrix from the quaternion's b, c, d and the offset (method 2 of nifti1.h)."""
    b, c, d = quaternion_offset[:3]
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
    return np.column_stack([rotation * spacing, quaternion_offset[3:6]])


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
