"""The worker: reads frames, predicts, writes frames, and ends with its input.

One thread reads, so that a cancel is received while the main thread predicts. Errors that a user
can fix are sent as events; any other error ends the process, and the client starts a new one.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import BinaryIO

from .. import __version__
from ..errors import Cancelled, DeviceError, MedSegFMError, WeightsError, WorkerError
from ..segmenter import Segmenter
from ..system import feature_store
from ..weights import store
from .events import (
    Event,
    Failed,
    Noted,
    Opened,
    Predicted,
    Progressed,
    Started,
    Stopped,
)
from .frames import Frame, FrameCutOffError, read_frame, write_frame
from .messages import Job, event_frame, message_number, parse_request
from .model_host import ModelHost
from .standard_streams import take_standard_streams
from .volume_frame import parse_volume

_PROGRESS_SECONDS = 0.05
# How often the client gets a sign of life; it waits for many times as long.
_ALIVE_SECONDS = 5.0


def main() -> None:
    """Serve the client at this process's stdin and stdout until it has gone; does not return."""
    faulthandler.enable()
    source, sink = take_standard_streams()
    with suppress(WeightsError):
        feature_store.use(store.feature_store())
    try:
        Server(source, sink).run()
    except BrokenPipeError:
        _end(0)


class Server:
    """Executes the frames read from `source` in order, and writes events to `sink`."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._inbox: queue.SimpleQueue[Frame | Job] = queue.SimpleQueue()
        self._host = ModelHost()
        self._volume_number = 0
        # Written by the reading thread alone.
        self._latest: Job | None = None
        self._cancelled = 0

    def run(self) -> None:
        """Serve until the input ends, which ends the process."""
        threading.Thread(target=self._read, name="frames", daemon=True).start()
        self._tell(Started(0.0, __version__))
        threading.Thread(target=self._stay_alive, name="alive", daemon=True).start()
        while True:
            item = self._inbox.get()
            if isinstance(item, Job):
                self._answer(item)
            else:
                self._take_volume(item)

    def _read(self) -> None:
        """Dispatch incoming frames; the end of the input is the end of the client."""
        status = 3
        try:
            while frame := read_frame(self._source):
                self._sort(frame)
            status = 0
        except FrameCutOffError:
            # The client was killed while it wrote.
            status = 0
        except (WorkerError, OSError, MemoryError) as error:
            sys.stderr.write(f"The worker's input is damaged: {error}\n")
            sys.stderr.flush()
        finally:
            # Whatever the error is: a worker that reads nothing any more would stay for ever.
            if status and sys.exc_info()[0] is not None:
                traceback.print_exc()
            _end(status)

    def _stay_alive(self) -> None:
        """Send a sign of life regularly, also while the main thread loads or predicts."""
        while True:
            time.sleep(_ALIVE_SECONDS)
            try:
                self._write(Frame("alive"))
            except OSError:
                # Nobody reads any more.
                _end(0)

    def _sort(self, frame: Frame) -> None:
        if frame.kind == "request":
            self._latest = parse_request(frame)
            self._inbox.put(self._latest)
        elif frame.kind == "cancel":
            self._cancelled = message_number(frame)
        elif frame.kind == "volume":
            self._inbox.put(frame)
        else:
            raise WorkerError(
                f"A message '{frame.kind}' is not supported by this version; install the same "
                "version of medsegfm at both ends."
            )

    def _take_volume(self, frame: Frame) -> None:
        # The old volume and its results are released first: both may not fit.
        self._host.put(None)
        self._volume_number = 0
        number = message_number(frame)
        try:
            volume = parse_volume(frame)
        except WorkerError as error:
            sys.stderr.write(f"{error}\n")
            self._write(Frame("volume_unreachable", {"number": number}))
            return
        self._host.put(volume)
        self._volume_number = number

    def _answer(self, job: Job) -> None:
        # If the volume could not be reached, the client sends both again.
        here = job.volume_number == self._volume_number
        self._tell(self._outcome(job) if here else Stopped(job.number))

    def _outcome(self, job: Job) -> Event:
        reported_at = 0.0

        def progress(fraction: float, phrase: str) -> None:
            nonlocal reported_at
            if self._is_unwanted(job):
                raise Cancelled("The request was cancelled.")
            now = time.monotonic()
            if now - reported_at >= _PROGRESS_SECONDS:
                reported_at = now
                self._tell(Progressed(job.number, fraction, phrase, 0.0))

        def note(sentence: str) -> None:
            self._tell(Noted(job.number, sentence))

        def opened(model: Segmenter) -> None:
            name, known = job.request.model, model.card
            channels = 1 if known.channels is None else known.channels
            self._tell(Opened(job.number, name, known.prompts, model.classes, channels))

        if self._is_unwanted(job, begun=False):
            return Stopped(job.number)
        try:
            answers, cost = self._host.predict(job.request, progress, note, opened)
        except Cancelled:
            return Stopped(job.number)
        except MedSegFMError as error:
            return Failed(job.number, error)
        except MemoryError:
            return Failed(
                job.number,
                DeviceError(
                    "The computer has no memory left for the model "
                    f"{job.request.model}; draw a smaller box or close other programs."
                ),
            )
        return Predicted(job.number, answers, cost)

    def _is_unwanted(self, job: Job, begun: bool = True) -> bool:
        latest = self._latest or job
        if self._cancelled >= job.number:
            return True
        if latest.number == job.number:
            return False
        same_volume = latest.volume_number == job.volume_number
        return not (begun and same_volume and self._host.continues(job.request, latest.request))

    def _tell(self, event: Event) -> None:
        self._write(event_frame(event))

    def _write(self, frame: Frame) -> None:
        with self._writing:
            write_frame(self._sink, frame)


def _end(status: int) -> None:
    """End this process at once, whatever its threads do.

    On success, processes that it started end with it, if it leads a process group.
    """
    if status == 0 and sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(status)
