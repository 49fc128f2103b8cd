"""The process's stderr, which C libraries write to without being asked. Imports in no time."""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import allocate_lock
from collections.abc import Iterator

_lock = allocate_lock()
# How many blocks of `silenced` are running in all threads, and the stderr before the first.
_depth = 0
_before = 2
# The real stderr after `divert`.
_diverted: int | None = None


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Discard what is written to stderr in the block, by this and other threads, from Python or C.

    Without a stderr nothing is changed.
    """
    global _depth, _before
    with _lock:
        if _depth == 0:
            with contextlib.suppress(OSError):
                _before = os.dup(2)
                _replace(os.open(os.devnull, os.O_WRONLY))
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _before != 2:
                _replace(_before)
                _before = 2


def divert(sink: int) -> None:
    """Send what C libraries write to stderr to `sink` from now on; Python's is unchanged."""
    global _diverted
    with contextlib.suppress(OSError):
        _diverted = os.dup(2)
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    _replace(sink)


def descriptor() -> int:
    """The descriptor of the real stderr."""
    return _before if _diverted is None else _diverted


def write_line(line: str) -> None:
    """Write a line to the real stderr, also from a signal handler; without a stderr do nothing."""
    with contextlib.suppress(OSError):
        os.write(descriptor(), line.encode("utf-8", "backslashreplace") + b"\n")


def _replace(descriptor: int) -> None:
    os.dup2(descriptor, 2)
    os.close(descriptor)
