"""The exceptions of libraries that decode damaged image files."""

from __future__ import annotations

import struct
import zlib

# Beside the libraries' own classes.
DECODING_ERRORS = (
    *(EOFError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError),
    *(ArithmeticError, RuntimeError, MemoryError, struct.error, zlib.error),
)
