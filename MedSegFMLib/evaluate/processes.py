"""The same work on many items, in processes that can die without taking the others with them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Windows waits for no more than 63 things at once.
_MOST_PROCESSES = 60


@dataclass(frozen=True)
class Died:
    """In place of a result: the process ended while it worked on the item."""

    exit_code: int | None


def run_in_processes(
    items: Sequence[Item], work: Callable[[Item], Result], processes: int
) -> Generator[tuple[Item, Result | Died], None, None]:
    """Each item with `work` of it, in the order in which they are done.

    work: found by its name in a fresh Python, and so are items and results pickled. An item whose
    process dies is tried once more, alone, after all others: there may be memory enough then.
    Closing the iterator, or an exception such as KeyboardInterrupt, ends all processes at once.
    """
    again: list[Item] = []
    with contextlib.closing(_run_once(items, work, min(processes, _MOST_PROCESSES))) as outcomes:
        for item, result in outcomes:
            if isinstance(result, Died):
                again.append(item)
            else:
                yield item, result
    yield from _run_once(again, work, 1)


def _run_once(
    items: Sequence[Item], work: Callable[[Item], Result], processes: int
) -> Generator[tuple[Item, Result | Died], None, None]:
    waiting = deque(items)
    workers: list[_Worker] = []
    idle: list[_Worker] = []
    busy: dict[Any, tuple[_Worker, Item]] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < processes:
                if not idle:
                    workers.append(_Worker(work))
                    idle.append(workers[-1])
                worker = idle.pop()
                item = waiting.popleft()
                worker.give(item)
                busy[worker.connection] = worker, item
            for connection in wait(list(busy)):
                worker, item = busy.pop(connection)
                result = worker.take()
                if not isinstance(result, Died):
                    idle.append(worker)
                yield item, result
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.connection.close()


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()

    def give(self, item: object) -> None:
        """Hand an item over; where the process is dead, `take` tells."""
        with contextlib.suppress(OSError):
            self.connection.send(item)

    def take(self) -> Any:
        """The result for the item, or Died."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Died(self.process.exitcode)


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    # Ctrl-C reaches every process of a terminal; what happens then is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError):
        while True:
            connection.send(work(connection.recv()))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """What starts in here computes with one thread, so that processes do not fight for cores.

    Libraries read this from the environment while they load: only a process yet to start is bound.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
