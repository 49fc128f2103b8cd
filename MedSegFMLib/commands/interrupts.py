"""Ctrl-C in the program: one line on stderr and exit status 130, at once. Imports in no time.

The process ends without unwinding, because KeyboardInterrupt in an import or a callback leads to a
traceback or is swallowed. Incomplete files are removed and child processes end here; all files are
written atomically, so nothing else is lost. Training saves its state first by its own handler.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import time
from _thread import start_new_thread

from ..system import standard_error, unfinished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

STATUS = 130
INTERRUPTED = "medsegfm: interrupted; run the same command again to resume."
# The time in which Python calls the handler, unless the main thread is in a long call of C.
_HANDLER_SECONDS = 0.3
_CHILD_SECONDS = 0.3
# Clears a progress bar and shows the cursor again.
_CLEAR = "\r\x1b[2K\x1b[?25h"
# The process that `install` was called in; forked children inherit its handler.
_program = 0


def install(life: int | None = None) -> None:
    """End this process at Ctrl-C from now on, unless that is ignored or handled already.

    Args:
        life: a pipe, at whose end the process ends without a line; None for none.
    """
    global _program
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    _program = os.getpid()
    signal.signal(signal.SIGINT, _handle)
    # Registered first, called last: Python then restores the default, which ends it without a line.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":
        source, sink = os.pipe()
        os.set_blocking(sink, False)
        signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
        # Without memory for a thread, the handler alone must do.
        with contextlib.suppress(RuntimeError):
            start_new_thread(_watch, (source, life))


def install_in_child(life: int) -> None:
    """Install the handler in a process that was forked from one that has it; see `install`."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    install(life)


def end(line: str = INTERRUPTED) -> None:
    """End this process and its children, after a line on stderr unless it is empty."""
    if os.getpid() == _program:
        unfinished.remove_all()
        _end_children()
        clear = _CLEAR if os.isatty(standard_error.descriptor()) else ""
        if line:
            standard_error.write_line(clear + line)
    os._exit(STATUS)


def _handle(_number: int, _frame: FrameType | None) -> None:
    end()


def _watch(source: int, life: int | None) -> None:
    """End the process if Python does not call the handler; signals arrive as bytes."""
    from select import select

    while True:
        ready, _, _ = select([source] if life is None else [source, life], [], [])
        if life in ready:
            end("")
        if signal.SIGINT in os.read(source, 1) and os.getpid() == _program:
            time.sleep(_HANDLER_SECONDS)
            if signal.getsignal(signal.SIGINT) is _handle:
                end()


def _end_children() -> None:
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None:
        return
    children = multiprocessing.active_children()
    for child in children:
        child.kill()
    latest = time.monotonic() + _CHILD_SECONDS
    for child in children:
        child.join(max(0.0, latest - time.monotonic()))
