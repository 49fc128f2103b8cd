"""Stopping between two steps, when the state of training is complete."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stop:
    """The reason to stop after this step; None to continue."""

    reason: BaseException | None = None


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Within the block, SIGINT and SIGTERM set the reason to KeyboardInterrupt.

    A second signal acts at once, as before the block. A signal that is ignored stays ignored: a
    shell script starts `command &` so, and Ctrl-C is for the program in the foreground. Outside the
    main thread, which receives no signals, nothing is changed.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {n: handler for n, handler in handlers.items() if handler is not signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            # None: a handler from outside Python, which cannot be restored.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.reason = KeyboardInterrupt()
        restore()

    for number in before:
        signal.signal(number, request_stop)
    try:
        yield stop
    finally:
        restore()
