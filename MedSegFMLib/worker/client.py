"""The client of a worker: set a volume, make requests, poll for events. Nothing waits long.

    client = WorkerClient(LocalLauncher())
    client.set_volume(volume)
    number = client.request(Request("randomwalk", prompts))
    for event in client.poll():    # regularly, from a timer
        ...

Each request ends in exactly one of `Predicted`, `Failed` and `Stopped`. All methods must be called
from one thread, the one that polls.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ..errors import VolumeError, WorkerError
from ..system.thread_time import GRANTED_SECONDS
from ..volumes.volume import Volume
from .answer_frame import check_answers
from .connection import Connection, Ended
from .events import (
    Answer,
    Cost,
    Event,
    Failed,
    Noted,
    Opened,
    Predicted,
    Progressed,
    Request,
    Restarted,
    Started,
    Stopped,
)
from .frames import Frame
from .launchers import Launcher, LocalLauncher, SshLauncher
from .mask_sizes import check_masks
from .messages import Job, check_options, message_number, parse_event
from .pending_request import Cancel, PendingRequest
from .volume_sender import VolumeSender, volume_contents

__all__ = [
    "Answer",
    "Cost",
    "Event",
    "Failed",
    "Launcher",
    "LocalLauncher",
    "Noted",
    "Opened",
    "Predicted",
    "Progressed",
    "Request",
    "Restarted",
    "SshLauncher",
    "Started",
    "Stopped",
    "WorkerClient",
]

# The time after a cancel at which it is reported as done, whatever the worker does.
_STOPPED_SECONDS = 1.0
# The number of consecutive deaths of workers after which a request, or the start, fails.
_MOST_DEATHS = 2
# A worker sends a sign of life every few seconds; a busy computer may delay it. Starting takes
# longer: ssh connects, and packages are read from a slow disk.
_SILENCE_SECONDS = 120.0
_START_SECONDS = 300.0
# A flood of frames must not keep the thread that polls.
_MOST_FRAMES = 256


class WorkerClient:
    """A volume and requests for a worker, which is restarted if it dies.

    The latest request counts: it replaces one that is not answered yet. If a worker dies, another
    is started and gets the volume and the request again; if that dies too, the request fails.

    A worker that sends nothing for long while a request is pending counts as dead.

    Args:
        launcher: starts workers; the first with the first volume, or with `start`.
        silence_seconds: how long a worker that runs may send nothing.
        connect: starts a worker's process.
    """

    def __init__(
        self,
        launcher: Launcher,
        silence_seconds: float = _SILENCE_SECONDS,
        connect: Callable[[Launcher], Connection] = Connection,
    ) -> None:
        self._launcher = launcher
        self._silence_seconds = silence_seconds
        self._connect = connect
        self._connection: Connection | None = None
        self._called = 0.0
        self._ready = False
        self._sender: VolumeSender | None = None
        self._volumes = 0
        self._requests = 0
        self._pending: PendingRequest | None = None
        self._cancel: Cancel | None = None
        self._deaths = 0
        self._events: list[Event] = []

    @property
    def busy(self) -> bool:
        """Whether a request is not answered yet."""
        return self._pending is not None

    @property
    def ready(self) -> bool:
        """Whether a worker runs and accepts requests."""
        return self._ready

    @property
    def pid(self) -> int | None:
        """The process on this computer, the worker or ssh; None if there is none."""
        return self._connection.pid if self._connection else None

    @property
    def log(self) -> str:
        """The last lines that the current worker wrote to its stderr."""
        return self._connection.last_words if self._connection else ""

    def start(self) -> None:
        """Start a worker, if there is none, without waiting for it."""
        if self._connection is None:
            self._called = time.monotonic()
            self._connection = self._connect(self._launcher)

    def set_volume(self, volume: Volume) -> bool:
        """Set the volume to segment; returns whether it differs from the previous one.

        It is sent once, and again only if a voxel or its grid has changed, also in place: call this
        before each request; it takes 15 ms for 150 MB. The array must not change before it is sent.
        A request for the previous volume is stopped.
        """
        contents = volume_contents(volume)
        if self._sender is not None and self._sender.contents == contents:
            return False
        if self._pending is not None:
            self._tell_cancel(self._pending.job.number)
            self._stop()
        self._volumes += 1
        self._sender = VolumeSender(self._volumes, volume, contents, self._sender)
        self._deaths = 0
        self.start()
        self._send_volume()
        return True

    def request(self, request: Request) -> int:
        """Request all objects of a prompt list; returns the number that events refer to.

        Raises:
            VolumeError: there is no volume yet.
            WorkerError: the options cannot be represented in JSON.
            PromptError: the masks are too large for a message.
        """
        if self._sender is None:
            raise VolumeError("There is no volume to segment; load one first.")
        check_options(request)
        check_masks(request)
        self._stop()
        self._requests += 1
        job = Job(self._requests, self._sender.number, request)
        self._pending = PendingRequest(job, time.monotonic())
        self._deaths = 0
        self.start()
        if self._ready:
            self._send_request()
        else:
            self._events.append(Progressed(job.number, 0.0, "Starting the worker", 0.0))
        return job.number

    def cancel(self) -> None:
        """Stop the current request; `Stopped` follows within about a second."""
        if self._pending is None:
            return
        number = self._pending.job.number
        self._tell_cancel(number)
        if not self._pending.sent:
            # It waits for a worker to start, or for the volume to be sent.
            self._stop()
        elif self._cancel is None or self._cancel.number < number:
            self._cancel = Cancel(number, time.monotonic())

    def poll(self) -> list[Event]:
        """Return the events since the last call, in order.

        While a worker starts or an answer is due, this waits for it for a few milliseconds, and
        for up to 50 while an answer is being read, in which the threads that read it run: see
        `system.thread_time`.
        """
        waits_until = time.monotonic() + GRANTED_SECONDS
        for _ in range(_MOST_FRAMES):
            item = None
            if self._connection is not None:
                is_due = self._pending is not None or not self._ready
                wait_seconds = max(0.0, waits_until - time.monotonic()) if is_due else 0.0
                item = self._connection.receive(wait_seconds)
            if isinstance(item, Ended):
                self._on_worker_exit(item)
            elif item is not None:
                self._take(item)
            else:
                self._check_silence(time.monotonic())
                break
        if self._cancel is not None:
            self._enforce_cancel(time.monotonic() - self._cancel.since)
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """End the worker, stop the current request, and release the volume and its copy."""
        self._let_go()
        self._stop()
        self._sender = None

    def _take(self, frame: Frame) -> None:
        if frame.kind == "alive":
            return
        pending = self._pending
        since = pending.since if pending and self._ready else self._called
        try:
            if frame.kind == "volume_unreachable":
                self._send_raw(frame.data.get("number"))
                return
            event = self._parse(frame, time.monotonic() - since)
            if isinstance(event, Started) and self._ready:
                raise WorkerError("The worker says twice that it has started; restart it.")
        except WorkerError as error:
            assert self._connection is not None, "a frame came through it"
            self._connection.kill(str(error))
            return
        if isinstance(event, Started):
            self._ready = True
            self._events.append(event)
            if self._sender is not None:
                self._send_volume()
            if self._pending is not None:
                self._send_request()
            return
        assert not isinstance(event, Restarted), "workers do not send that"
        if isinstance(event, Opened):
            self._events.append(event)
            return
        final = not isinstance(event, Progressed | Noted)
        cancelled = self._cancel is not None and self._cancel.covers(event.number)
        if final and self._cancel is not None and event.number >= self._cancel.number:
            self._cancel = None
        if self._pending is None or event.number != self._pending.job.number:
            return
        if cancelled:
            # The user cancelled, so an answer that arrived first is dropped.
            if final:
                self._stop()
        elif not isinstance(event, Stopped):
            # A worker stops a request that is not cancelled only to get it again with its volume.
            if final:
                self._pending, self._deaths = None, 0
            self._events.append(event)

    def _parse(self, frame: Frame, seconds: float) -> Event:
        """The event of a frame, whose answers are checked; late ones are not even unpacked."""
        if frame.kind != "predicted":
            return parse_event(frame, seconds)
        number, pending = message_number(frame), self._pending
        if pending is None or number != pending.job.number:
            return Predicted(number, {})
        assert self._sender is not None, "a request has a volume"
        shape = self._sender.contents[1].shape_kji
        event = parse_event(frame, seconds, math.prod(shape))
        assert isinstance(event, Predicted), "the frame is of that kind"
        check_answers(event, pending.job.request.prompts, shape)
        return event

    def _check_silence(self, now: float) -> None:
        """Restart a worker that has sent nothing for too long while a request is pending."""
        pending, connection = self._pending, self._connection
        if pending is None or connection is None:
            return
        limit = self._silence_seconds if self._ready else max(_START_SECONDS, self._silence_seconds)
        if now - max(connection.heard_at, pending.since) > limit:
            sentence = (
                f"The worker{self._launcher.place} has sent nothing for {limit:.0f} seconds; "
                f"{self._launcher.advice}."
            )
            self._on_worker_exit(Ended(WorkerError(sentence), self.log), hung=True)

    def _on_worker_exit(self, ended: Ended, hung: bool = False) -> None:
        """Restart after a worker's death."""
        self._stop_cancelled()
        self._let_go()
        self._deaths += 1
        if self._deaths >= _MOST_DEATHS:
            number = self._pending.job.number if self._pending else 0
            self._pending = None
            self._events.append(Failed(number, ended.error, ended.last_words))
            return
        self._events.append(Restarted(ended.last_words, hung=hung))
        self.start()

    def _enforce_cancel(self, waited_seconds: float) -> None:
        """Report a cancel that the worker does not obey as done, then end the worker."""
        if waited_seconds > _STOPPED_SECONDS:
            self._stop_cancelled()
        if waited_seconds > self._launcher.patience_seconds:
            log = self.log
            self._let_go()
            self._events.append(Restarted(log, after_cancel=True))
            self.start()

    def _stop_cancelled(self) -> None:
        """End the current request as stopped, if it is cancelled."""
        if self._pending and self._cancel and self._cancel.covers(self._pending.job.number):
            self._stop()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.kill()
        self._connection = None
        self._cancel = None
        self._ready = False
        if self._pending is not None:
            self._pending.sent = False

    def _stop(self) -> None:
        """End the current request, if there is one, as stopped."""
        if self._pending is not None:
            self._pending.withdrawn = True
            self._events.append(Stopped(self._pending.job.number))
            self._pending = None

    def _send_volume(self) -> None:
        """Send the volume; while the worker starts, only copy it, because it cannot be sent yet."""
        sender, shares = self._sender, self._launcher.shares_memory
        assert self._connection is not None and sender is not None, "both are there by now"
        work = sender.frame if self._ready else sender.prepare
        self._connection.send(lambda: work(shares))

    def _send_request(self) -> None:
        assert self._connection is not None and self._pending is not None, "both are there by now"
        self._connection.send(self._pending.frame)

    def _send_raw(self, number: Any) -> None:
        """Send the voxels themselves, because the worker cannot map the shared memory."""
        if self._sender is None or self._sender.number != number:
            return
        if not self._sender.voxels.reachable:
            raise WorkerError(
                f"The worker{self._launcher.place} cannot read the volume that was sent; "
                f"{self._launcher.advice}."
            )
        self._sender.voxels.reachable = False
        self._send_volume()
        if self._pending is not None:
            self._send_request()

    def _tell_cancel(self, number: int) -> None:
        if self._connection is not None and self._ready:
            self._connection.send(lambda: Frame("cancel", {"number": number}))
