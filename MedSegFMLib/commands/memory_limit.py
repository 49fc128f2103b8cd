"""A limit on the memory of the program (ulimit -v): one sentence and status 2 if it is too low.

Libraries end the process or print from C if memory is refused, also while they are imported. So if
there is a limit, the command runs in a child process, and this one reports what became of it.
OpenBLAS is worse: it tries again for ever, or raises SIGINT for a thread that cannot be started. So
it gets one thread, and below a limit that no segmentation fits in nothing is tried.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence

from ..system import standard_error, threads
from . import interrupts

# The last bytes of a child that ended in order; its status follows.
_MARK = b"\0medsegfm ended\0"
# numpy, scipy and SimpleITK take this much to be imported.
_LEAST_BYTES = 500_000_000
# How a lack of memory appears in imports and in threads.
_MEMORY_ERRORS = (ImportError, MemoryError, RuntimeError, SystemError)


def run_within_limit(words: Sequence[str]) -> int:
    """Run a command line of this program and return its exit status."""
    limit = _limit()
    # The worker leads a group of processes, which its client ends.
    if limit is None or words[:1] == ["worker"]:
        threads.choose(words)
        from .line import run

        return run(words)
    if limit < _LEAST_BYTES:
        return _too_low(limit)
    threads.choose(words, 1)
    source, sink = os.pipe()
    life, parent_life = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        os.close(parent_life)
        return _run_in_child(words, sink, life)
    os.close(sink)
    os.close(life)
    status = _follow(child, source)
    return _too_low(limit) if status is None else status


def _too_low(limit: int) -> int:
    standard_error.write_line(
        f"medsegfm: not enough memory within the limit of {limit / 1e6:.0f} MB (ulimit -v); "
        "raise the limit, or use a smaller box or volume."
    )
    return 2


def _limit() -> int | None:
    """The lowest limit on this process's memory in bytes, None if there is none."""
    if os.name != "posix":
        return None
    import resource

    kinds = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    limits = [resource.getrlimit(kind)[0] for kind in kinds]
    return min((limit for limit in limits if limit != resource.RLIM_INFINITY), default=None)


def _run_in_child(words: Sequence[str], sink: int, life: int) -> int:
    # Signals come from the parent alone, once each.
    os.setpgid(0, 0)
    standard_error.divert(sink)
    status: int | None = None
    try:
        interrupts.install_in_child(life)
        from .line import run

        status = run(words)
    except SystemExit as stopped:
        status = stopped.code if isinstance(stopped.code, int) else 0
        raise
    except _MEMORY_ERRORS:
        os._exit(2)
    finally:
        # Other exceptions are bugs, which Python reports.
        os.write(2, _MARK + bytes([1 if status is None else status]))
    return status


def _follow(child: int, source: int) -> int | None:
    """The status of the child; None if it did not end in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: _forward(child, number))
    tail = b""
    while block := os.read(source, 1 << 16):
        tail = (tail + block)[-len(_MARK) - 1 :]
    _, code = os.waitpid(child, 0)
    if tail[:-1] == _MARK:
        return tail[-1]
    status = os.waitstatus_to_exitcode(code)
    return {interrupts.STATUS: status, -signal.SIGTERM: 128 + signal.SIGTERM}.get(status)


def _forward(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)
