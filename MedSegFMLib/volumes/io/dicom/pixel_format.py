"""The format of stored voxels: one grey value each, as whole numbers of a stated number of bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import VolumeError
from .header import Header


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
    if bits is None and allocated in (32, 64):
        raise VolumeError(
            f"{path} stores its voxels as floating-point numbers (a parametric map), and whole "
            "numbers are needed; convert it to NIfTI with a program that reads such files."
        )
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


def beyond_bits(header: Header, form: PixelFormat) -> VolumeError:
    """The error for voxels that need more bits than the header states."""
    return VolumeError(
        f"{header.path} has voxels beyond the {form.bits} bits that its header states; export it "
        "again."
    )
