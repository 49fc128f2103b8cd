"""A training run in a separate process, and the events that it prints. Nothing waits long."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import WorkerError
from ..system.json_files import parse_json
from ..system.process_tree import ProcessTree, exit_words
from ..system.thread_time import GRANTED_SECONDS

_LAST_WORDS_LINES = 80
_DRAIN_SECONDS = 2.0
# The exit status of `medsegfm` after an interrupt, and the prefix of its messages.
_INTERRUPTED = 130
_OWN_WORDS = "medsegfm: "


class Program(Protocol):
    """The program to start, such as `launchers.TrainingLauncher`."""

    def arguments(self) -> list[str]:
        """The program and its arguments.

        Raises:
            WorkerError: there is no program to start.
        """

    def environment(self) -> Mapping[str, str]:
        """The environment variables of the program."""


@dataclass(frozen=True)
class Advanced:
    """The progress of the training run, 0 to 1, and a phrase for the user."""

    fraction: float
    phrase: str


@dataclass(frozen=True)
class Finished:
    """The end of the process. Without a result or an error, it was stopped with its state saved.

    Attributes:
        result: the trained weights.
        report: the recipe's report on them; None if there is none.
        error: one sentence.
        last_words: the end of its stderr.
    """

    result: Path | None = None
    report: Any = None
    error: str | None = None
    last_words: str = ""


class TrainingProcess:
    """A program that prints events as `medsegfm train --events` does.

    Args:
        program: the program.
        work: what it does, for messages.
    """

    def __init__(self, program: Program, work: str = "The training") -> None:
        self._program = program
        self._work = work
        self._events: queue.SimpleQueue[Advanced | Finished] = queue.SimpleQueue()
        self._words: deque[str] = deque(maxlen=_LAST_WORDS_LINES)
        self._end = Finished()
        self._tree: ProcessTree | None = None
        self._stopped, self._doomed = threading.Event(), threading.Event()
        threading.Thread(target=self._live, name="training process", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The process; None until it is started."""
        return self._tree.process.pid if self._tree else None

    def poll(self) -> list[Advanced | Finished]:
        """Return the events since the last call, in order; `Finished` is the last.

        If there are none, the threads that read them get a few milliseconds to run.
        """
        events = []
        with contextlib.suppress(queue.Empty):
            events.append(self._events.get(timeout=GRANTED_SECONDS))
            while True:
                events.append(self._events.get_nowait())
        return events

    def stop(self) -> None:
        """Close its input, which makes it save its state and end."""
        self._stopped.set()
        if self._tree is not None:
            _close_input(self._tree)

    def kill(self) -> None:
        """End it and all processes it started at once; its last checkpoint stays."""
        self._stopped.set()
        self._doomed.set()
        if self._tree is not None:
            self._tree.kill()

    def _live(self) -> None:
        try:
            tree = ProcessTree(self._program.arguments(), self._program.environment())
        except (OSError, WorkerError) as error:
            reason = str(error).rstrip(".")
            self._events.put(Finished(error=f"{self._work} cannot be started ({reason})."))
            return
        self._tree = tree
        # Either may have been requested while it started.
        if self._doomed.is_set():
            tree.kill()
        elif self._stopped.is_set():
            _close_input(tree)
        process = tree.process
        assert process.stdout and process.stderr, "both are pipes"
        readers = [
            threading.Thread(target=self._read, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._listen, args=(process.stderr,), daemon=True),
        ]
        for reader in readers:
            reader.start()
        status = tree.wait()
        for reader in readers:
            reader.join(_DRAIN_SECONDS)
        self._events.put(self._finished(status))

    def _finished(self, status: int) -> Finished:
        words, end = "".join(self._words.copy()).strip(), self._end
        error = end.error
        stopped = self._stopped.is_set() or status == _INTERRUPTED
        if end.result is None and error is None and not stopped:
            last_line = words.splitlines()[-1].strip() if words else "it wrote nothing"
            error = f"{self._work} {exit_words(status)}: {last_line.rstrip('.')}."
            if last_line.startswith(_OWN_WORDS):
                error = last_line.removeprefix(_OWN_WORDS)
        return Finished(end.result, end.report, error, words)

    def _read(self, stream: BinaryIO) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            event = parse_json(line, dict)
            if "fraction" in event:
                self._events.put(Advanced(float(event["fraction"]), str(event["phrase"])))
            elif "result" in event:
                self._end = Finished(Path(event["result"]), event["report"])
            else:
                self._end = Finished(error=str(event["error"]))
        except (KeyError, TypeError, ValueError):
            # Output that a library printed before stdout was reserved is not an event.
            self._words.append(line.decode(errors="replace"))

    def _listen(self, stream: BinaryIO) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(4096):
                self._words.append(line.decode(errors="replace"))


def _close_input(tree: ProcessTree) -> None:
    if tree.process.stdin is not None:
        with contextlib.suppress(OSError):
            tree.process.stdin.close()
