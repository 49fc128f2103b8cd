"""The pending request of a client, and a cancel that the client waits for."""

from __future__ import annotations

from dataclasses import dataclass

from .frames import Frame
from .messages import Job, request_frame


@dataclass
class PendingRequest:
    """The current request.

    Attributes:
        job: the job.
        since: the time of the request on the monotonic clock.
        sent: whether it was sent to the worker.
        withdrawn: whether it need not be sent any more.
    """

    job: Job
    since: float
    sent: bool = False
    withdrawn: bool = False

    def frame(self) -> Frame | None:
        """The request as a frame, created in the sending thread; None if it is withdrawn."""
        if self.withdrawn:
            return None
        self.sent = True
        return request_frame(self.job)


@dataclass(frozen=True)
class Cancel:
    """A cancel of all requests up to a number.

    Attributes:
        number: the last request to stop.
        since: the time of the cancel on the monotonic clock.
    """

    number: int
    since: float

    def covers(self, number: int) -> bool:
        """Whether the request of a number is to stop."""
        return number <= self.number
