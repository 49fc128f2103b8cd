"""Sending of a volume to workers: once to each, through shared memory if possible."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .array_digest import array_digest
from .frames import Array, Frame
from .shared_memory import SharedCopy
from .volume_frame import volume_frame

_LOG = logging.getLogger(__name__)


class SharedVoxels:
    """The voxels of all images of a volume and their copies in shared memory, made once.

    Attributes:
        reachable: whether workers can open the copies; if not, they get all voxels.
    """

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._arrays = arrays
        self._copies: list[SharedCopy] = []
        self._copying = threading.Lock()
        self.reachable = True

    def share(self) -> list[Mapping[str, Any]] | None:
        """The addresses of the copies; None if there are none.

        Copying takes a while for a large volume.
        """
        with self._copying:
            if self.reachable and not self._copies:
                try:
                    self._copies = [SharedCopy(array) for array in self._arrays]
                except OSError as error:
                    _LOG.info("the volume is not shared: %s", error)
                    self.reachable = False
            return [copy.address for copy in self._copies] if self.reachable else None


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
            before.voxels if before and same_voxels else SharedVoxels(volume.arrays)
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
        shared = self.voxels.share() if shares_memory else None
        return volume_frame(self.number, self._volume, shared)


def volume_contents(volume: Volume) -> tuple[str, Geometry]:
    """A digest of the voxels and names of all images, and the grid: they identify a volume."""
    digests = [array_digest(array) for array in volume.arrays]
    names = [*volume.images, volume.primary] if volume.images else []
    return json.dumps([*digests, *names]), volume.geometry
