"""Files that must not outlive the process if Ctrl-C ends it at once. Imports in no time."""

from __future__ import annotations

import contextlib
import os

_PATHS: set[str] = set()


def add(path: str) -> None:
    """Register a file, which may not exist, for removal."""
    _PATHS.add(path)


def discard(path: str) -> None:
    """Cancel the registration of a file that is finished or removed."""
    _PATHS.discard(path)


def remove_all() -> None:
    """Remove the registered files."""
    for path in list(_PATHS):
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - pathlib may not be loaded yet
