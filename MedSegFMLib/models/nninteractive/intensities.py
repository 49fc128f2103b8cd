"""Intensities as nnInteractive's sessions can normalise them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError
from ...volumes.volume import Volume

# The squares of such values, needed for the standard deviation, still fit into 32 bits.
_LARGEST_INTENSITY = 1e15


def image_of(volume: Volume) -> NDArray[Any]:
    """The voxels of a volume, within what 32 bits can square.

    Raises:
        VolumeError: the voxels in the box around those that are not 0 are all alike: nnInteractive
            divides by their standard deviation.
    """
    low, high = volume.intensity_range()
    array = volume.array_kji
    part = array[_box_of_nonzero(array)]
    if (part == part.flat[0]).all():
        raise VolumeError(
            f"All voxels that are not 0 have the value {part.flat[0]:g}, with which nnInteractive "
            "cannot work; give it an image, not a mask."
        )
    if max(-low, high) > _LARGEST_INTENSITY:
        array = np.clip(array, -_LARGEST_INTENSITY, _LARGEST_INTENSITY)
    return array


def _box_of_nonzero(array: NDArray[np.generic]) -> tuple[slice, ...]:
    """The box around all voxels that are not 0, found slice by slice to save memory."""
    rows, columns = (np.zeros(n, bool) for n in array.shape[1:])
    slices = np.zeros(array.shape[0], bool)
    for number, image in enumerate(array):
        seen = image != 0
        rows |= seen.any(axis=1)
        columns |= seen.any(axis=0)
        slices[number] = seen.any()
    found = (np.flatnonzero(line) for line in (slices, rows, columns))
    return tuple(slice(int(line[0]), int(line[-1]) + 1) for line in found)
