"""An executor with processes on this machine; the death of one does not affect the others."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from ..system.threads import environment
from .executor import Load, ModelFailed, Ready, Work, WorkerDied, WorkerEvent
from .records import Task

# Windows can wait for at most 63 objects at once.
_MOST_PROCESSES = 60
# The environment of a process that computes with one thread.
_ONE_THREAD = environment(1)


class ProcessPool:
    """An `Executor` with processes, each of which computes with one thread.

    Args:
        load: importable by name in a new Python process; `load`, `work`, tasks and outcomes are
            pickled.
        work: likewise.
        device: the device of the models.
        processes: the number of processes.
    """

    alone = True

    def __init__(self, load: Load, work: Work, device: str, processes: int) -> None:
        self.capacity: Mapping[str, int] = {"process": min(processes, _MOST_PROCESSES)}
        self._duty = load, work, device
        self._workers: dict[int, _Worker] = {}
        self._busy: dict[Any, int] = {}
        self._started = 0

    def resource(self, model: str) -> str:
        """All processes are alike."""
        return "process"

    def start_worker(self, model: str) -> int:
        """Start a process that loads the model."""
        self._started += 1
        worker = _Worker(model, *self._duty)
        self._workers[self._started] = worker
        self._busy[worker.connection] = self._started
        return self._started

    def give(self, worker: int, task: Task) -> None:
        """Send the task."""
        self._workers[worker].give(task)
        self._busy[self._workers[worker].connection] = worker

    def wait(self) -> list[tuple[int, WorkerEvent]]:
        """Return the events of all processes that have some, as soon as one has."""
        workers = [self._busy.pop(connection) for connection in wait(list(self._busy))]
        return [(worker, self._workers[worker].take()) for worker in workers]

    def stop_worker(self, worker: int) -> None:
        """End the process."""
        self._workers.pop(worker).end()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers.values():
            worker.process.terminate()
        while self._workers:
            self._workers.popitem()[1].end()


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, model: str, load: Load, work: Work, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, model, load, work, device), daemon=True
        )
        with _one_thread(), _without_ctrl_c():
            self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        """Send a task; if the process is dead, `take` reports it."""
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def take(self) -> WorkerEvent:
        """The event that the process sent, or WorkerDied."""
        try:
            event: WorkerEvent = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            return WorkerDied(f"signal {-code}" if code < 0 else f"exit status {code}")
        return event

    def end(self) -> None:
        """End the process and wait for its end."""
        self.process.terminate()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection, model: str, load: Load, work: Work, device: str) -> None:
    # Ctrl-C reaches every process of a terminal; only the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError):
        loaded = load(model, device)
        connection.send(loaded if isinstance(loaded, ModelFailed) else Ready())
        while True:
            connection.send(work(connection.recv(), loaded))


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes that start in the block do not receive Ctrl-C, not even during their imports."""
    if sys.platform == "win32":
        yield
        return
    # It unblocks the signal itself if it is started within the block.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes started within the block compute with one thread each.

    They do not compete for cores then. Libraries read this from the environment while they load, so
    only new processes are affected.
    """
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
