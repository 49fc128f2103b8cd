"""A process's stdin and stdout, reserved so that no library can print to or read from them."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO


def take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the real stdin and stdout, which only the caller can use from now on.

    What libraries print, from Python or C, goes to stderr; reads from stdin return nothing.
    Processes started later inherit neither.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(source, os.O_BINARY)
        msvcrt.setmode(sink, os.O_BINARY)
    # Printed lines are the last output of a worker that crashes, so none may stay in a buffer.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")
