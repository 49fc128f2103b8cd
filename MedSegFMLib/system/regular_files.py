"""Refusal of paths that are not regular files before anything opens them.

Opening a named pipe waits for a writer, and reading a device may never end, so that a path from a
user or from a file is examined first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from ..errors import MedSegFMError

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular_file(path: Path, error: type[MedSegFMError] = MedSegFMError) -> os.stat_result:
    """Check that a path leads to a regular file, without opening it.

    Args:
        path: the path; links are followed.
        error: the class of the named error to raise.

    Returns:
        The status of the file, of which readers need the size.

    Raises:
        MedSegFMError: as `error`; the path is missing, a folder, a pipe, a socket, a device or a
            loop of links, or it cannot be examined.
    """
    status = _status(path, error)
    if stat.S_ISDIR(status.st_mode):
        raise error(f"{path} is a folder; give the path of a file.")
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{path} is {_kind(status.st_mode)}; give the path of a regular file.")
    return status


def check_folder_entries(folder: Path, error: type[MedSegFMError] = MedSegFMError) -> None:
    """Check that a folder whose files a C library will open contains no pipe, socket or device.

    Raises:
        MedSegFMError: as `error`; the message names the entry.
    """
    for entry in sorted(folder.iterdir()):
        try:
            mode = entry.stat().st_mode
        except OSError:
            # A link that leads nowhere cannot be opened either.
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise error(
                f"{folder} contains {entry.name}, which is {_kind(mode)}; move it out of the "
                "folder."
            )


def _kind(mode: int) -> str:
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "not a file")


def _status(path: Path, error: type[MedSegFMError]) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError as missing:
        raise error(f"{path} does not exist; check the path.") from missing
    except OSError as failure:
        raise error(
            f"{path} cannot be read ({failure.strerror or failure}); check the path and its "
            "permissions."
        ) from failure
    except ValueError as failure:
        # A NUL character, or one that the file system's encoding lacks.
        raise error(
            f"{str(path)!a} contains a character that paths cannot have; correct it."
        ) from failure
