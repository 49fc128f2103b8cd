"""The last step of reading every format: axes at right angles, and no NaN."""

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
    """A volume with nearly right-angled axes made so, and NaN replaced by its lowest value.

    Args:
        volume: the volume as its file has it.
        name: the file, for messages.

    Returns:
        The volume, and clauses on what was changed.

    Raises:
        VolumeError: every value is NaN.
    """
    volume, note = without_nan(volume, name)
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


def without_nan(volume: Volume, name: str) -> tuple[Volume, str]:
    """A volume with NaN replaced by its lowest value, and a clause on that; empty if it has none.

    Raises:
        VolumeError: every value is NaN.
    """
    array = volume.array_kji
    # The minimum is NaN if any value is; it needs no copy.
    if array.dtype.kind != "f" or not np.isnan(array.min()):
        return volume, ""
    is_nan = np.isnan(array)
    if is_nan.all():
        raise VolumeError(f"Every voxel of {name} is NaN; export it again.")
    filled = np.where(is_nan, np.nanmin(array), array).astype(array.dtype)
    note = f"has {is_nan.sum()} voxels that are NaN and count as background (the lowest value)"
    return volume.with_array(filled), note
