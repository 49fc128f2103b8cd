"""The memory of this machine, against which the sizes that files state are checked."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import MedSegFMError

_CGROUP = Path("/sys/fs/cgroup/memory.max")
# The limit on a system that does not report its memory (Windows).
_UNREPORTED = 1 << 40


def physical_memory_bytes() -> int:
    """The memory that this machine or its container has; 1 TiB if the system does not report it."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNREPORTED
    try:
        limit = _CGROUP.read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdecimal() else total


def check_fits_memory(subject: str, nbytes: int, error: type[MedSegFMError]) -> None:
    """Check that an array of a stated size can exist in memory.

    Args:
        subject: the subject of the message, such as the path of the file.
        nbytes: the size that the file states.
        error: the class of the named error to raise.

    Raises:
        MedSegFMError: as `error`; the array is larger than the memory.
    """
    memory = physical_memory_bytes()
    if nbytes > memory:
        raise error(
            f"{subject} states a size of {_gigabytes(nbytes)} GB, and this machine has "
            f"{_gigabytes(memory)} GB of memory; crop or resample it elsewhere, or check its "
            "header."
        )


def _gigabytes(nbytes: int) -> str:
    # Integer division: a stated size may be too large for a float.
    return str(nbytes // 10**9) if nbytes >= 10**10 else f"{nbytes / 1e9:.1f}"
