"""The process's stderr, which C libraries write to without being asked. Imports in no time."""

from __future__ import annotations

import contextlib
import os
from _thread import allocate_lock
from collections.abc import Iterator

_lock = allocate_lock()
# How many blocks of `silenced` are running in all threads, and the real stderr during them.
_depth = 0
_real = 2


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Discard what is written to stderr in the block, by this and other threads, from Python or C.

    Without a stderr nothing is changed.
    """
    global _depth, _real
    with _lock:
        if _depth == 0:
            with contextlib.suppress(OSError):
                _real = os.dup(2)
                _replace(os.open(os.devnull, os.O_WRONLY))
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _real != 2:
                _replace(_real)
                _real = 2


def write_line(line: str) -> None:
    """Write a line to the real stderr, also from a signal handler; without a stderr do nothing."""
    with contextlib.suppress(OSError):
        os.write(_real, line.encode("utf-8", "backslashreplace") + b"\n")


def _replace(descriptor: int) -> None:
    os.dup2(descriptor, 2)
    os.close(descriptor)
