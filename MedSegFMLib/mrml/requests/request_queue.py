"""One worker for two askers: the user's work, and a comparison of models beside it.

The work comes first: what it asks takes the place of what the comparison asked, and that is asked
again when the work has its answer. So no answer is lost, and none is taken for another's.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...volumes.volume import Volume
from ...worker.events import (
    Event,
    Failed,
    Noted,
    Opened,
    Predicted,
    Progressed,
    Request,
    Stopped,
)
from .client import Client

Told = Progressed | Noted | Predicted | Failed | Stopped


class SharedClient:
    """The client as the work sees it.

    background: the same client as a comparison sees it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        # The number of the work's request that is not answered yet.
        self._asked: int | None = None
        self.background = Background(client)

    def set_volume(self, volume: Volume) -> object:
        """As `Client`; what the background asked was about another volume, and is dropped."""
        self.background.drop()
        return self._client.set_volume(volume)

    def request(self, request: Request) -> int:
        """As `Client`; a request of the background is stopped, and waits from here on."""
        self.background.start_over()
        number = self._client.request(request)
        self._asked = number if number >= 0 else None
        return number

    def poll(self) -> Sequence[Event]:
        """The events that are not the background's, which may ask when the work asks nothing."""
        found = []
        for event in self._client.poll():
            if self.background.takes(event):
                continue
            if isinstance(event, Predicted | Failed | Stopped) and event.number == self._asked:
                self._asked = None
            found.append(event)
        if self._asked is None:
            self.background.go_on()
        return found

    def cancel(self) -> None:
        """Stop what the work asked, and nothing else."""
        if self._asked is not None:
            self._client.cancel()

    def close(self) -> None:
        """End the worker."""
        self.background.drop()
        self._client.close()

    def start_over(self) -> None:
        """There is another worker, which knows of no request; the background asks again."""
        self._asked = None
        self.background.start_over()


class Background:
    """At most one request, asked when the work asks nothing, and again if the work cut in."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wanted: Request | None = None
        self._number: int | None = None
        self._told: list[Told] = []

    def request(self, request: Request) -> None:
        """Ask this as soon as the work asks nothing, in place of what was asked before."""
        self.drop()
        self._wanted = request

    def poll(self) -> list[Told]:
        """What was told of the present request; `Stopped` never, as it is asked again."""
        told, self._told = self._told, []
        return told

    def drop(self) -> None:
        """Ask nothing; what comes of an earlier request is dropped."""
        if self._number is not None:
            self._client.cancel()
        self._wanted = self._number = None
        self._told = []

    def start_over(self) -> None:
        """What was asked is lost; it is asked again."""
        self._number = None

    def takes(self, event: Event) -> bool:
        """Whether an event is about the present request, or one of the past, and nobody else's."""
        if isinstance(event, Opened) or self._number is None:
            return False
        if getattr(event, "number", None) != self._number:
            return False
        if isinstance(event, Stopped):
            self._number = None
        elif isinstance(event, Told):
            self._told.append(event)
            if isinstance(event, Predicted | Failed):
                self._number = self._wanted = None
        return True

    def go_on(self) -> None:
        """The work asks nothing now."""
        if self._wanted is not None and self._number is None:
            self._number = self._client.request(self._wanted)
