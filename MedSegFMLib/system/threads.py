"""The number of threads that computations use: one rule for every library. Imports in no time.

OMP_NUM_THREADS is the one switch: torch reads it, and so do our settings of OpenVINO and ONNX
Runtime. If it is not set, a program takes what the machine has free when it starts: the cores that
it may use (affinity and quota), but no more than are left by the threads of other programs that
are running or waiting for a core. More threads than free cores wait for each other, which takes
longer than one thread alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

OPTION = "--threads"
_SWITCH = "OMP_NUM_THREADS"
# The variables of libraries that do not read the switch: OpenBLAS in numpy, MKL, SimpleITK.
_OTHERS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
_STATE = Path("/proc/stat")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# The older hierarchy of control groups has two files, in microseconds.
_OLD_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
_OLD_PERIOD = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
# Programs come and go within milliseconds: the middle one of several samples counts.
_SAMPLES = 5
_BETWEEN_SECONDS = 0.002


def environment(count: int) -> Mapping[str, str]:
    """The variables with which every library uses `count` threads, for a new process."""
    return dict.fromkeys((_SWITCH, *_OTHERS), str(count))


def choose(words: Sequence[str], default: int | None = None) -> None:
    """Set the threads of this process and of those that it starts, before libraries are imported.

    Args:
        words: the command line, which may contain `OPTION`; that overrides the environment.
        default: the number without it; None for the rule.
    """
    given = _given(words)
    if given:
        os.environ.update(environment(given))
        return
    for name, value in environment(_switched() or default or free_cores()).items():
        os.environ.setdefault(name, value)


def use(count: int) -> None:
    """Set the threads also of torch, if that is loaded."""
    os.environ.update(environment(count))
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


def thread_count() -> int:
    """The number of threads that a computation of this process uses."""
    return _switched() or free_cores()


def free_cores() -> int:
    """The cores that this process may use and that no other program keeps busy, at least one."""
    machine = os.cpu_count() or 1
    return max(1, min(usable_cores(), machine - _busy_threads()))


def usable_cores() -> int:
    """The cores that this process may use: its affinity and the quota of its container."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _quota()
    return cores if quota is None else max(1, min(cores, round(quota)))


def _switched() -> int:
    """The number in the environment; 0 if there is none."""
    text = os.environ.get(_SWITCH, "")
    return int(text) if text.isdecimal() else 0


def _given(words: Sequence[str]) -> int:
    """The number after the option; 0 if it is not given or no number."""
    for n, word in enumerate(words):
        value = word.removeprefix(f"{OPTION}=") if word != OPTION else "".join(words[n + 1 : n + 2])
        if (word == OPTION or value != word) and value.isdecimal():
            return int(value)
    return 0


def _busy_threads() -> int:
    """The threads of other programs that are running or waiting for a core."""
    samples = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for _ in range(_SAMPLES):
            samples.append(_running() - 1)
            time.sleep(_BETWEEN_SECONDS)
        return max(0, sorted(samples)[_SAMPLES // 2])
    with contextlib.suppress(OSError, AttributeError):
        # Other systems report the average of a minute only; Windows reports nothing.
        return round(os.getloadavg()[0])
    return 0


def _running() -> int:
    """The threads that Linux runs or would run now, this one included."""
    text = _STATE.read_text(encoding="ascii")
    return int(text.partition("procs_running")[2].split(None, 1)[0])


def _quota() -> float | None:
    """The cores that the container may use; None without a limit."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        if _QUOTA.exists():
            limit, period = _QUOTA.read_text(encoding="ascii").split()
        else:
            limit = _OLD_QUOTA.read_text(encoding="ascii")
            period = _OLD_PERIOD.read_text(encoding="ascii")
        cores = float(limit) / float(period)
        return cores if cores > 0 else None
    return None
