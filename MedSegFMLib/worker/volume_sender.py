"""Sending of a volume to workers: once to each, through shared memory if possible."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .array_digest import array_digest
from .frames import Array, Frame
from .messages import volume_frame
from .shared_memory import SharedCopy

_LOG = logging.getLogger(__name__)


class SharedVoxels:
    """The voxels of a volume and their copy in shared memory, which is made once.

    Attributes:
        reachable: whether workers can open the copy; if not, they get all voxels.
    """

    def __init__(self, array_kji: Array) -> None:
        self._array_kji = array_kji
        self._copy: SharedCopy | None = None
        self._copying = threading.Lock()
        self.reachable = True

    def share(self) -> Mapping[str, Any] | None:
        """The address of the copy; None if there is none.

        Copying takes a while for a large volume.
        """
        with self._copying:
            if self.reachable and self._copy is None:
                try:
                    self._copy = SharedCopy(self._array_kji)
                except OSError as error:
                    _LOG.info("the volume is not shared: %s", error)
                    self.reachable = False
            return self._copy.address if self._copy and self.reachable else None


class VolumeSender:
    """A volume under a number.

    Args:
        number: the number.
        volume: the volume.
        contents: as `volume_contents` returns it.
        before: the sender that this one replaces. It sends nothing any more; if only the grid
            differs, its voxels are reused.
    """

    def __init__(
        self,
        number: int,
        volume: Volume,
        contents: tuple[str, Geometry],
        before: VolumeSender | None = None,
    ) -> None:
        self.number = number
        self.contents = contents
        self._volume = volume
        same_voxels = before is not None and before.contents[0] == contents[0]
        self.voxels: SharedVoxels = (
            before.voxels if before and same_voxels else SharedVoxels(volume.array_kji)
        )
        self._withdrawn = False
        if before is not None:
            before._withdrawn = True

    def prepare(self, shares_memory: bool) -> None:
        """Make the shared copy, if there is none and the volume is not withdrawn."""
        if shares_memory and not self._withdrawn:
            self.voxels.share()

    def frame(self, shares_memory: bool) -> Frame | None:
        """The volume as a frame, with its voxels unless they are shared; None if withdrawn."""
        if self._withdrawn:
            return None
        address = self.voxels.share() if shares_memory else None
        return volume_frame(self.number, self._volume, address)


def volume_contents(volume: Volume) -> tuple[str, Geometry]:
    """A digest of all voxels, and the grid, which together identify a volume."""
    return array_digest(volume.array_kji), volume.geometry
