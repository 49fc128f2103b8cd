"""The request that a client waits for, and a cancel that it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from .frames import Frame
from .messages import Job, request_frame


@dataclass
class PendingRequest:
    """The present request. It is withdrawn where it need not be sent, if it is not yet."""

    job: Job
    since: float
    sent: bool = False
    withdrawn: bool = False

    def frame(self) -> Frame | None:
        """The request as a frame; made by the thread that sends."""
        if self.withdrawn:
            return None
        self.sent = True
        return request_frame(self.job)


@dataclass(frozen=True)
class Cancel:
    """All requests up to that number are to stop, since that time on the monotonic clock."""

    number: int
    since: float

    def covers(self, number: int) -> bool:
        """Whether the request of that number is to stop."""
        return number <= self.number
