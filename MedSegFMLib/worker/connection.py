"""One worker process and its pipes. Blocking work is done in threads, which get time to run: both
`send` and `receive` wait for them for a few milliseconds (see `system.thread_time`)."""

from __future__ import annotations

import contextlib
import errno
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, cast

from ..errors import WorkerError
from ..system.process_tree import ProcessTree, exit_words
from ..system.thread_time import GRANTED_SECONDS
from .frames import Frame, FrameCutOffError, read_frame, skip_greeting, write_frame
from .launchers import Launcher

_LOG = logging.getLogger(__name__)

_LAST_WORDS_LINES = 80
# How long the pipes of an ended process are still read.
_DRAIN_SECONDS = 2.0
# How long `receive` waits at most for a frame whose bytes keep coming.
_FRAME_SECONDS = 0.05


@dataclass(frozen=True)
class Ended:
    """The end of a worker.

    Attributes:
        error: how it ended, and the way out.
        last_words: the end of its stderr.
    """

    error: WorkerError
    last_words: str


class Connection:
    """A worker that is starting, running or ended.

    Frames are passed as functions that create them, so that large frames are created in the sending
    thread; a function that returns None has nothing to send any more.

    Attributes:
        heard_at: the time on the monotonic clock at which the worker's last bytes were read, or
            that of the start.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self.heard_at = time.monotonic()
        self._inbox: queue.SimpleQueue[Frame | Ended] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Callable[[], Frame | None] | None] = queue.SimpleQueue()
        # Set while nothing waits to be sent, or nothing can be sent any more.
        self._all_sent = threading.Event()
        self._words: deque[str] = deque(maxlen=_LAST_WORDS_LINES)
        self._fault: str | None = None
        self._tree: ProcessTree | None = None
        self._kill_requested = threading.Event()
        threading.Thread(target=self._live, name="worker process", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The process on this computer; None until it is started."""
        return self._tree.process.pid if self._tree else None

    @property
    def last_words(self) -> str:
        """The last lines that the worker wrote to its stderr."""
        return "".join(self._words.copy()).strip()

    def send(self, make_frame: Callable[[], Frame | None]) -> None:
        """Send the frame that `make_frame` returns, after all earlier ones."""
        self._all_sent.clear()
        self._outbox.put(make_frame)
        self._all_sent.wait(GRANTED_SECONDS)

    def receive(self, seconds: float = 0.0) -> Frame | Ended | None:
        """Return the next frame from the worker, or its end; None if there is nothing new.

        Args:
            seconds: how long to wait for it; longer while the bytes of a frame keep coming.
        """
        give_up_at = time.monotonic() + max(seconds, _FRAME_SECONDS)
        while True:
            heard_at = self.heard_at
            with contextlib.suppress(queue.Empty):
                return self._inbox.get(timeout=seconds)
            if not seconds or self.heard_at == heard_at or time.monotonic() > give_up_at:
                return None

    def kill(self, fault: str | None = None) -> None:
        """End the worker and all processes it started.

        Args:
            fault: a sentence that says why; None if there is no fault.
        """
        self._fault = self._fault or fault
        self._kill_requested.set()
        if self._tree is not None:
            self._tree.kill()

    def _live(self) -> None:
        if self._kill_requested.is_set():
            return
        try:
            tree = ProcessTree(self._launcher.arguments(), self._launcher.environment())
        except (OSError, ValueError, WorkerError) as error:
            # ValueError: a NUL in an argument or in the environment.
            reason = str(error).rstrip(".")
            self._finish(
                f"The worker{self._launcher.place} cannot be started ({reason}); "
                f"{self._launcher.advice}."
            )
            return
        self._tree = tree
        if self._kill_requested.is_set():
            tree.kill()
        process = tree.process
        assert process.stdin and process.stdout and process.stderr, "all three are pipes"
        sender = _start(self._send, process.stdin)
        readers = [_start(self._read, process.stdout), _start(self._listen, process.stderr)]
        status = tree.wait()
        self._outbox.put(None)
        for thread in (*readers, sender):
            thread.join(_DRAIN_SECONDS)
        lines = self.last_words.splitlines()
        last_line = f": {lines[-1].strip().rstrip('.')}" if lines else ""
        how = f"The worker{self._launcher.place} {exit_words(status)}{last_line}"
        self._finish(self._fault or f"{how}; {self._launcher.advice}.")

    def _finish(self, sentence: str) -> None:
        self._inbox.put(Ended(WorkerError(sentence), self.last_words))

    def _send(self, stream: BinaryIO) -> None:
        """Write frames until the process has ended."""
        try:
            while make_frame := self._outbox.get():
                frame = make_frame()
                if frame is not None:
                    write_frame(stream, frame)
                if self._outbox.empty():
                    self._all_sent.set()
        except (OSError, MemoryError, WorkerError, ValueError, TypeError, RecursionError) as error:
            # The last three: a request that JSON cannot represent.
            # Windows reports EINVAL if the pipe has no reader any more.
            if getattr(error, "errno", None) not in (errno.EPIPE, errno.EINVAL):
                self.kill(f"Nothing can be sent to the worker{self._launcher.place} ({error}).")
        self._all_sent.set()
        with contextlib.suppress(OSError):
            stream.close()

    def _read(self, stream: BinaryIO) -> None:
        """Read frames until the process has ended."""
        try:
            greeting, source = skip_greeting(cast(BinaryIO, _Watched(stream, self._note_heard)))
            if greeting:
                _LOG.info("before its first frame the worker wrote %r", greeting)
            while frame := read_frame(source):
                self._inbox.put(frame)
        except FrameCutOffError:
            _LOG.debug("the worker's last frame was cut off")
        except WorkerError as error:
            self.kill(str(error))
        except (OSError, ValueError, MemoryError) as error:
            self.kill(f"Nothing can be read from the worker{self._launcher.place} ({error}).")

    def _note_heard(self) -> None:
        self.heard_at = time.monotonic()

    def _listen(self, stream: BinaryIO) -> None:
        """Keep the last lines of the process's stderr."""
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(4096):
                text = line.decode(errors="replace")
                self._words.append(text)
                _LOG.debug("worker: %s", text.rstrip())


class _Watched:
    """A stream that calls `note` with each piece that was read, also within a large array."""

    def __init__(self, stream: BinaryIO, note: Callable[[], None]) -> None:
        self._stream = stream
        self._note = note

    def read(self, count: int) -> bytes:
        """Read up to `count` bytes."""
        data = self._stream.read(count)
        self._note()
        return data

    def readinto(self, view: memoryview) -> int:
        """Fill as much of `view` as is available at once."""
        count = int(self._stream.readinto1(view))  # type: ignore[attr-defined]
        self._note()
        return count


def _start(work: Callable[[BinaryIO], None], stream: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=(stream,), name=work.__name__, daemon=True)
    thread.start()
    return thread
