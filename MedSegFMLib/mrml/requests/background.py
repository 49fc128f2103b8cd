"""Requests of a comparison of models, which wait until the user's own work needs no answer."""

from __future__ import annotations

from collections.abc import Callable

from ...worker.events import Failed, Noted, Predicted, Progressed, Request, Stopped

RequestEvent = Progressed | Noted | Predicted | Failed | Stopped


class BackgroundRequests:
    """At most one request; it is made when the work awaits no answer, and again if it was stopped.

    Args:
        cancel: Stops the request that the worker has.

    Attributes:
        wanted: The request that is not answered yet; None if there is none.
        number: Its number while the worker has it; None while it waits.
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self.wanted: Request | None = None
        self.number: int | None = None
        self._events: list[RequestEvent] = []

    def request(self, request: Request) -> None:
        """Make this request as soon as the work awaits no answer, in place of the one before."""
        self.drop()
        self.wanted = request

    def poll(self) -> list[RequestEvent]:
        """Events of the present request; never `Stopped`, as it is made again then."""
        events, self._events = self._events, []
        return events

    def drop(self) -> None:
        """Await nothing; events of an earlier request are ignored."""
        if self.number is not None:
            self._cancel()
        self.wanted = self.number = None
        self._events = []

    def take(self, event: RequestEvent) -> None:
        """Take an event that has the number of the present request."""
        if isinstance(event, Stopped):
            self.number = None
            return
        self._events.append(event)
        if isinstance(event, Predicted | Failed):
            self.number = self.wanted = None
