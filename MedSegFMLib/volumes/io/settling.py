"""The last step of reading every format: axes at right angles, and finite values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import VolumeError
from ..right_angles import LARGEST_MOVE_VOXELS, nearest_right_angled
from ..volume import Volume

# A move that is not worth a sentence: rounding to single precision.
_NOTHING_MM = 1e-3


def settled(volume: Volume, name: str) -> tuple[Volume, Sequence[str]]:
    """A volume with nearly right-angled axes made so, and no NaN or infinite values.

    Args:
        volume: the volume as its file has it.
        name: the file, for messages.

    Returns:
        The volume, and clauses on what was changed.

    Raises:
        VolumeError: no value is finite.
    """
    volume, note = with_finite_values(volume, name)
    notes = [note] if note else []
    straight = nearest_right_angled(volume.geometry)
    is_off = volume.geometry.is_sheared or straight.moved_mm > _NOTHING_MM
    if is_off and straight.moved_voxels <= LARGEST_MOVE_VOXELS:
        notes.append(
            "has axes that are not quite at right angles; the nearest ones that are move its "
            f"farthest corner by {straight.moved_mm:.2g} mm ({straight.moved_voxels:.1g} voxel)"
        )
        return replace(volume, geometry=straight.geometry), notes
    return volume, notes


def with_finite_values(volume: Volume, name: str) -> tuple[Volume, str]:
    """A volume without NaN and infinite values, and a clause on them; empty if it has none.

    NaN becomes the lowest of the other values; an infinite value becomes the nearest of them.

    Raises:
        VolumeError: no value is finite.
    """
    array = volume.array_kji
    # The extremes are NaN if any value is; they need no copy.
    if array.dtype.kind != "f" or np.isfinite([array.min(), array.max()]).all():
        return volume, ""
    is_nan, is_finite = np.isnan(array), np.isfinite(array)
    if not is_finite.any():
        values = "NaN" if is_nan.all() else "NaN or infinite"
        raise VolumeError(f"Every voxel of {name} is {values}; export it again.")
    low, high = array[is_finite].min(), array[is_finite].max()
    filled = np.nan_to_num(array, nan=low, posinf=high, neginf=low)
    parts = []
    if is_nan.any():
        parts.append(
            f"{is_nan.sum()} voxels that are NaN and count as background (the lowest value)"
        )
    infinite = int((~is_finite & ~is_nan).sum())
    if infinite:
        parts.append(f"{infinite} voxels that are infinite and count as the nearest finite value")
    return volume.with_array(filled), f"has {' and '.join(parts)}"
