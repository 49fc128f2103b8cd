"""The grid on which a network scores its classes, checked before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

from ...errors import VolumeError, numbers_text
from ...system.memory.physical_memory import physical_memory_bytes

_GIGABYTE = 10**9


def check_network_grid(
    extents_mm: Sequence[float], spacing_mm: Sequence[float], bytes_per_voxel: int
) -> None:
    """Check that the scores of a volume in the network's spacing can exist in memory.

    Args:
        extents_mm: The widths of the volume along its axes.
        spacing_mm: The network's spacing along the same axes.
        bytes_per_voxel: The bytes of a voxel's scores.

    Raises:
        VolumeError: They cannot.
    """
    voxels = prod(ceil(wide / step) for wide, step in zip(extents_mm, spacing_mm, strict=True))
    memory = physical_memory_bytes()
    needed = voxels * bytes_per_voxel
    if needed > memory:
        raise VolumeError(
            f"The volume has {voxels} voxels in the network's spacing of "
            f"{numbers_text(spacing_mm)} mm, whose scores take {needed // _GIGABYTE} GB of the "
            f"{memory // _GIGABYTE} GB of memory; crop it, or give weights with a coarser spacing."
        )
