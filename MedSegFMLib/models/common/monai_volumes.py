"""Volumes as MONAI reads them, and the number of its sliding windows. Needs torch and monai."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from ...volumes.volume import Volume

# The squares of such values, needed for a standard deviation, still fit into 32 bits.
_LARGEST_INTENSITY = 1e15


def meta_tensor(volume: Volume) -> Any:
    """A volume as a MetaTensor (1, i, j, k), float32, with its matrix to RAS."""
    import torch
    from monai.data import MetaTensor

    array = volume.array_kji.transpose().astype(np.float32)
    np.clip(array, -_LARGEST_INTENSITY, _LARGEST_INTENSITY, out=array)
    # A copy, since torch warns of read-only arrays.
    return MetaTensor(torch.from_numpy(array)[None], affine=volume.geometry.ijk_to_ras.copy())


def window_count(
    shape: Sequence[int], roi_size: int | Sequence[int], overlap: float | Sequence[float]
) -> int:
    """The number of MONAI's windows over a volume, accurate enough for progress reports."""
    from monai.utils import ensure_tuple_rep, fall_back_tuple

    count = 1
    overlaps = ensure_tuple_rep(overlap, len(shape))
    for size, width, part in zip(shape, fall_back_tuple(roi_size, shape), overlaps, strict=True):
        step = max(int(width * (1 - part)), 1)
        count *= 1 + max(0, ceil((size - width) / step))
    return count
