"""Who predicts: what the scene logic needs of `worker.client.WorkerClient`, and of a fake one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...volumes.volume import Volume
from ...worker.events import Event, Request


class Client(Protocol):
    """Nothing here blocks; events come when asked for."""

    def set_volume(self, volume: Volume) -> object:
        """Predict in this volume from now on."""

    def request(self, request: Request) -> int:
        """Ask for the segmentation of a prompt list, in place of what was asked before.

        The number that events will name; below 0 where it waits until the user says so.
        """

    def poll(self) -> Sequence[Event]:
        """What happened since the last call."""

    def cancel(self) -> object:
        """Stop what was asked."""

    def close(self) -> object:
        """End the work for good."""
