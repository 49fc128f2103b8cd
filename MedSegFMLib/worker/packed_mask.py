"""Masks on their way: a bit for each voxel, deflated; unpacked up to the stated size only."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from ..volumes.region import Shape

# Masks are smooth: higher levels take longer and save little.
_LEVEL = 1


def pack_mask(mask_kji: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bits of a mask in C order, the first voxel in the highest bit of a byte, deflated.

    Args:
        mask_kji: (k, j, i), 1 inside.
    """
    bits = np.packbits(np.ascontiguousarray(mask_kji).reshape(-1))
    return np.frombuffer(zlib.compress(bits.data, _LEVEL), np.uint8)


def unpack_mask(packed: NDArray[np.uint8], shape_kji: Shape) -> NDArray[np.uint8]:
    """The inverse of `pack_mask`.

    Raises:
        ValueError: it is not a mask of this shape.
    """
    voxels = shape_kji[0] * shape_kji[1] * shape_kji[2]
    size = (voxels + 7) // 8
    inflater = zlib.decompressobj()
    try:
        # One byte more, to reach the end of the stream and to notice a longer one.
        bits = inflater.decompress(packed.data, size + 1)
    except zlib.error as error:
        raise ValueError(f"a mask that cannot be inflated ({error})") from error
    if len(bits) != size or not inflater.eof or inflater.unused_data:
        raise ValueError(f"a mask that is not of the shape {shape_kji}")
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=voxels).reshape(shape_kji)
