"""The client of a worker as the scene logic needs it: `worker.client.WorkerClient`, or a fake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...volumes.volume import Volume
from ...worker.events import Event, Request


class Client(Protocol):
    """Takes requests and gives events; none of its methods blocks."""

    def set_volume(self, volume: Volume) -> object:
        """Predict in this volume from now on."""

    def request(self, request: Request) -> int:
        """Request answers in place of those requested before; returns the number of the request."""

    def poll(self) -> Sequence[Event]:
        """Events since the last call."""

    def cancel(self) -> object:
        """Stop the present request."""

    def close(self) -> object:
        """End the worker; a later call of another method starts another one."""
