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
        VolumeError: no value is finite, or one is beyond 32-bit floats.
    """
    array = volume.array_kji
    if array.dtype.kind != "f":
        return volume, ""
    # The extremes are NaN if any value is; they need no copy.
    extremes = float(array.min()), float(array.max())
    if np.isfinite(extremes).all():
        _check_range(extremes, name)
        return volume, ""
    is_nan, is_finite = np.isnan(array), np.isfinite(array)
    if not is_finite.any():
        values = "NaN" if is_nan.all() else "NaN or infinite"
        raise VolumeError(f"Every voxel of {name} is {values}; export it again.")
    low, high = array[is_finite].min(), array[is_finite].max()
    _check_range((float(low), float(high)), name)
    filled = np.nan_to_num(array, nan=low, posinf=high, neginf=low)
    parts = []
    if is_nan.any():
        parts.append(f"{_counting(int(is_nan.sum()), 'NaN')} as background (the lowest value)")
    infinite = int((~is_finite & ~is_nan).sum())
    if infinite:
        parts.append(f"{_counting(infinite, 'infinite')} as the nearest finite value")
    return volume.with_array(filled), f"has {' and '.join(parts)}"


def _check_range(extremes: tuple[float, float], name: str) -> None:
    """Refuse values that models, which compute with 32-bit floats, would take for infinite."""
    if max(map(abs, extremes)) > float(np.finfo(np.float32).max):
        raise VolumeError(
            f"{name} has values from {extremes[0]:g} to {extremes[1]:g}, beyond those of 32-bit "
            "floats (3.4e+38); replace the marks of missing values in it, or rescale it."
        )


def _counting(voxels: int, what: str) -> str:
    if voxels == 1:
        return f"1 voxel that is {what} and counts"
    return f"{voxels} voxels that are {what} and count"
