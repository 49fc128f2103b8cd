"""A training in a process of its own, and what it tells line by line. Nothing here blocks."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import WorkerError
from .process_tree import ProcessTree, exit_words

_LAST_WORDS_LINES = 40
_DRAIN_SECONDS = 2.0
# As `medsegfm` ends where it was interrupted, and what its sentences begin with.
_INTERRUPTED = 130
_OWN_WORDS = "medsegfm: "


class Program(Protocol):
    """What to start, as `launchers.TrainingLauncher` says it."""

    def arguments(self) -> list[str]:
        """The program and its arguments; WorkerError where there is none to start."""

    def environment(self) -> Mapping[str, str]:
        """The variables the program gets."""


@dataclass(frozen=True)
class Advanced:
    """How far the training is, 0 to 1, and a phrase for the user."""

    fraction: float
    phrase: str


@dataclass(frozen=True)
class Finished:
    """The process is gone. Without a result or an error it was stopped, with its state saved.

    result: where the trained weights are. report: what the recipe says of them, None for nothing.
    error: one sentence. last_words: the end of what it wrote to its stderr.
    """

    result: Path | None = None
    report: Any = None
    error: str | None = None
    last_words: str = ""


class TrainingProcess:
    """A program that tells events as `medsegfm train --events` does, from its start to its end."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._told: queue.SimpleQueue[Advanced | Finished] = queue.SimpleQueue()
        self._words: deque[str] = deque(maxlen=_LAST_WORDS_LINES)
        self._end = Finished()
        self._tree: ProcessTree | None = None
        self._stopped, self._doomed = threading.Event(), threading.Event()
        threading.Thread(target=self._live, name="training process", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The number of the process; None until it is there."""
        return self._tree.process.pid if self._tree else None

    def poll(self) -> list[Advanced | Finished]:
        """What it told since the last call, in order; `Finished` is the last."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._told.get_nowait())
        return found

    def stop(self) -> None:
        """Ask it to save its state and end: its input ends."""
        self._stopped.set()
        if self._tree is not None:
            _close_input(self._tree)

    def kill(self) -> None:
        """End it and all it started at once; what it saved last stays."""
        self._stopped.set()
        self._doomed.set()
        if self._tree is not None:
            self._tree.kill()

    def _live(self) -> None:
        try:
            tree = ProcessTree(self._program.arguments(), self._program.environment())
        except (OSError, WorkerError) as error:
            reason = str(error).rstrip(".")
            self._told.put(Finished(error=f"The training cannot be started ({reason})."))
            return
        self._tree = tree
        # Either may have been asked for while it started.
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
        self._told.put(self._finished(status))

    def _finished(self, status: int) -> Finished:
        words, end = "".join(self._words.copy()).strip(), self._end
        error = end.error
        stopped = self._stopped.is_set() or status == _INTERRUPTED
        if end.result is None and error is None and not stopped:
            said = words.splitlines()[-1].strip() if words else "it wrote nothing"
            error = f"The training {exit_words(status)}: {said.rstrip('.')}."
            if said.startswith(_OWN_WORDS):
                error = said.removeprefix(_OWN_WORDS)
        return Finished(end.result, end.report, error, words)

    def _read(self, stream: BinaryIO) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            if "fraction" in event:
                self._told.put(Advanced(float(event["fraction"]), str(event["phrase"])))
            elif "result" in event:
                self._end = Finished(Path(event["result"]), event["report"])
            else:
                self._end = Finished(error=str(event["error"]))
        except (KeyError, TypeError, ValueError):
            # What a library printed before the stream was taken from it is no event.
            self._words.append(line.decode(errors="replace"))

    def _listen(self, stream: BinaryIO) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(4096):
                self._words.append(line.decode(errors="replace"))


def _close_input(tree: ProcessTree) -> None:
    if tree.process.stdin is not None:
        with contextlib.suppress(OSError):
            tree.process.stdin.close()
