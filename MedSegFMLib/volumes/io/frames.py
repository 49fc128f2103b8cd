"""The choice of one of several volumes on a grid."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import VolumeError


def check_frame(name: str, volumes: int, shape: Sequence[int], frame: int | None) -> int:
    """The index of the volume to read, from 0.

    Args:
        name: the file, for messages.
        volumes: the number of volumes.
        shape: all axes, for messages.
        frame: the number of the volume, from 1; None if there is one only.

    Raises:
        VolumeError: there are several volumes and no frame, or no such frame.
    """
    if frame is None and volumes > 1:
        raise VolumeError(
            f"{name} has {len(shape)} axes {tuple(shape)}, {volumes} volumes on one grid; choose "
            f"one with --frame 1 to {volumes}."
        )
    number = 1 if frame is None else frame
    if not 1 <= number <= volumes:
        raise no_such_frame(name, volumes, number)
    return number - 1


def no_such_frame(name: str, volumes: int, frame: int) -> VolumeError:
    """The error for a frame that is not among the volumes of a file or series."""
    if volumes == 1:
        return VolumeError(f"{name} contains 1 volume and no frame {frame}; leave --frame out.")
    return VolumeError(
        f"{name} contains {volumes} volumes and no frame {frame}; choose one of 1 to {volumes}."
    )
