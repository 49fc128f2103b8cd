"""A worker's connection without a process: a test writes the worker's bytes itself."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedSegFMLib.errors import WorkerError
from MedSegFMLib.worker.connection import Ended
from MedSegFMLib.worker.events import Answer, Event, Predicted, Started, Stopped
from MedSegFMLib.worker.frames import Frame, read_frame, write_frame
from MedSegFMLib.worker.messages import event_frame, message_number, parse_request


@dataclass(frozen=True)
class NoLauncher:
    shares_memory: bool = False
    patience_seconds: float = 1.0
    place: str = ""
    advice: str = "check its output"

    def arguments(self) -> list[str]:
        return []

    def environment(self) -> dict[str, str]:
        return {}


class FakeConnection:
    """Frames that the client sends are kept in `sent`; `feed` takes what the worker writes."""

    pid = None
    last_words = ""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.heard_at = clock()
        self.sent: deque[Frame] = deque()
        self.killed = False
        self.hangs = False
        self._inbox: deque[Frame | Ended] = deque()
        self._volume = 0

    def send(self, make_frame: Callable[[], Frame | None]) -> None:
        frame = make_frame()
        if frame is not None:
            stream = io.BytesIO()
            write_frame(stream, frame)
            self.sent.append(read_frame(io.BytesIO(stream.getvalue())))  # type: ignore[arg-type]

    def receive(self, seconds: float = 0.0) -> Frame | Ended | None:
        return self._inbox.popleft() if self._inbox else None

    def kill(self, fault: str | None = None) -> None:
        if not self.killed:
            self.killed = True
            self._inbox.append(Ended(WorkerError(fault or "The worker ended."), ""))

    def feed(self, octets: bytes) -> None:
        """Take bytes as `Connection` does: damage ends the worker."""
        if self.hangs:
            return
        self.heard_at = self._clock()
        stream = io.BytesIO(octets)
        try:
            while not self.killed and (frame := read_frame(stream)):
                self._inbox.append(frame)
        except WorkerError as error:
            self.kill(str(error))

    def tell(self, event: Event | Frame) -> None:
        stream = io.BytesIO()
        write_frame(stream, event if isinstance(event, Frame) else event_frame(event))
        self.feed(stream.getvalue())

    def start(self) -> None:
        self.tell(Started(0.0, "1"))

    def work(self) -> bool:
        """Handle the next frame as a good worker does; False if there is none."""
        if self.killed or self.hangs or not self.sent:
            return False
        frame = self.sent.popleft()
        if frame.kind == "volume":
            self._volume = message_number(frame)
        elif frame.kind == "request":
            job = parse_request(frame)
            if job.volume_number != self._volume:
                self.tell(Stopped(job.number))
            else:
                labels = {label for label, _ in job.request.prompts.entries}
                self.tell(Predicted(job.number, {n: signed(job.number) for n in labels}))
        return True


def signed(number: int) -> Answer:
    """An answer that shows which request it is for."""
    return Answer((number % 8, 0, 0), np.ones((1, 1, 1), np.uint8))


def signature(answer: Any) -> int:
    return int(answer.offset_kji[0])
