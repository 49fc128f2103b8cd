"""The peak memory of this process since a given time."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Reset the peak if the system allows it (Linux); otherwise it remains that of the process."""
    if _RESET.exists():
        try:
            _RESET.write_text("5")
        except OSError:
            return


def peak_bytes() -> int:
    """The peak resident size since `reset_peak`, or of the process; 0 on Windows."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
