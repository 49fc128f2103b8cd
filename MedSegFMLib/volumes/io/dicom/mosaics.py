"""Siemens mosaics: the slices of a volume tiled in one image.

The direction of the slices and their number are in the private CSA header, which nibabel reads.
DICOM's own elements describe the mosaic as if it were one large slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import VolumeError
from ..decoding_errors import DECODING_ERRORS
from .damage import DamageNamed, without_warnings
from .header import Header

Vector = NDArray[np.float64]

# NumberOfImagesInMosaic, which newer systems also store outside the CSA header.
_GROUP, _CREATOR, _COUNT_ELEMENT = 0x0019, "SIEMENS MR HEADER", 0x0A


@dataclass(frozen=True, eq=False)
class Mosaic:
    """The slices in a mosaic.

    Attributes:
        positions_lps: (K, 3) the centre of the first voxel of each slice, in LPS millimetres.
        starts: row and column of the mosaic at which each slice begins.
        shape: rows and columns of a slice.
        step_mm: the distance from slice to slice.
    """

    positions_lps: Vector
    starts: tuple[tuple[int, int], ...]
    shape: tuple[int, int]
    step_mm: float


def is_mosaic(header: Header) -> bool:
    """Whether a file is a mosaic by its ImageType."""
    return "MOSAIC" in header.text("ImageType").upper().split("\\")


def mosaic_of(header: Header) -> Mosaic:
    """The slices of a mosaic.

    Raises:
        VolumeError: its header does not prove them; the message names the file and what is missing.
        OSError: the file cannot be read.
    """
    from pydicom import dcmread

    with without_warnings(), DamageNamed(header.path):
        dataset = dcmread(header.path, stop_before_pixels=True, force=True)
    step = abs(header.decimal("SpacingBetweenSlices") or 0.0)
    if not step:
        raise _unproven(header, "SpacingBetweenSlices")
    with without_warnings():
        from nibabel.nicom import csareader
        from nibabel.nicom.dicomwrappers import MosaicWrapper, WrapperError

        try:
            csa = csareader.get_csa_header(dataset) or {"tags": {}}
            if csareader.get_slice_normal(csa) is None:
                raise _unproven(header, "SliceNormalVector")
            counts = {int(n) for n in (csareader.get_n_mosaic(csa), _count(dataset)) if n}
            count = max(counts, default=0)
            if count < 1 or len(counts) > 1:
                raise _unproven(header, "one NumberOfImagesInMosaic")
            wrapper = MosaicWrapper(dataset, csa, count)
            rows, columns, _ = wrapper.image_shape
            per_side = int(wrapper.mosaic_size)
            first, normal = np.asarray(wrapper.image_position), np.asarray(wrapper.slice_normal)
        except VolumeError:
            raise
        except (*DECODING_ERRORS, AssertionError, csareader.CSAError, WrapperError):
            raise _unproven(header, "undamaged CSA header at right angles to its axes") from None
    if (rows * per_side, columns * per_side) != (dataset.Rows, dataset.Columns):
        raise _unproven(header, f"size that {per_side} x {per_side} tiles fill")
    if not (np.isfinite(first).all() and np.isfinite(normal).all()):
        raise _unproven(header, "position")
    numbers = np.arange(count)
    starts = tuple((int(n) // per_side * rows, int(n) % per_side * columns) for n in numbers)
    return Mosaic(first + numbers[:, None] * normal * step, starts, (rows, columns), step)


def check_padding(header: Header, mosaic: NDArray[Any], starts: set[tuple[int, int]]) -> None:
    """Check that the tiles of a mosaic that are no slices are empty.

    Args:
        header: its file.
        mosaic: its stored voxels.
        starts: row and column at which each slice begins.

    Raises:
        VolumeError: one is not, so that the stated number of slices is wrong.
    """
    per_side = int(np.ceil(np.sqrt(len(starts))))
    rows, columns = mosaic.shape[0] // per_side, mosaic.shape[1] // per_side
    for j in range(0, mosaic.shape[0], rows):
        for i in range(0, mosaic.shape[1], columns):
            if (j, i) not in starts and mosaic[j : j + rows, i : i + columns].any():
                raise _unproven(header, "number of slices that leaves the other tiles empty")


def _count(dataset: Any) -> int | None:
    try:
        return int(dataset.private_block(_GROUP, _CREATOR)[_COUNT_ELEMENT].value)
    except KeyError:
        return None


def _unproven(header: Header, missing: str) -> VolumeError:
    return VolumeError(
        f"{header.path} is a Siemens mosaic (many slices tiled in one) without {missing}, so that "
        "the places of its slices are unknown; export it as enhanced or as single slices, or "
        "convert it to NIfTI with a program that knows them."
    )
