"""Several volumes on one grid (time points, echoes), read one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..errors import VolumeError
from .geometry import Geometry
from .volume import Volume


class FrameSource(Protocol):
    """Volumes by number, from 0: a list, or `Frames`."""

    def __len__(self) -> int:
        """The number of volumes."""

    def __getitem__(self, index: int, /) -> Volume:
        """One of them."""


class Frames:
    """The volumes of a 4D file or DICOM series; each is read when it is asked for.

    Args:
        path: as for `Volume.read`.
        series: likewise.
        suv: likewise.

    Raises:
        VolumeError: the input is missing, damaged or not volumes on a grid.
    """

    def __init__(
        self, path: Path | str, series: str | int | None = None, suv: bool = False
    ) -> None:
        from .io.all_frames import open_frames

        self._path = path
        self._count, self._read = open_frames(Path(path), series, suv)
        self._grid: Geometry | None = None

    def __len__(self) -> int:
        """The number of volumes."""
        return self._count

    def __getitem__(self, index: int, /) -> Volume:
        """The volume with a number, from 0.

        Raises:
            IndexError: there is none.
            VolumeError: it is damaged, or on another grid than the first one that was read.
        """
        if not 0 <= index < self._count:
            raise IndexError(index)
        volume = self._read(index)
        self._grid = self._grid or volume.geometry
        if not volume.geometry.matches(self._grid):
            raise VolumeError(
                f"Frame {index + 1} of {self._path} is on another grid than the others; segment it "
                f"alone with --frame {index + 1}."
            )
        return Volume(volume.array_kji, self._grid)
