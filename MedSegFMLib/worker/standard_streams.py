"""A process's stdin and stdout, taken out of the reach of everything that prints or reads."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO


def take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """The real stdin and stdout; from here on only the caller has them.

    What libraries print, from Python or C, goes to stderr; what reads stdin finds it empty.
    Processes started from here on inherit neither.
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
    # Printed lines are a crashed worker's last words; none may wait in a buffer.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")
