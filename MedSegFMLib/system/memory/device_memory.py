"""The memory of a device: what is free, what torch holds, and the peak. Imports without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..device import may_have_gpu
from .free_memory import free_bytes
from .peak_memory import peak_bytes, reset_peak

if TYPE_CHECKING:
    import torch

_MEBIBYTE = 1 << 20
# How long the driver's answer counts, as asking it takes about a twentieth of a second.
_LATEST_SECONDS = 10
_LONGEST_SECONDS = 5


def free_for(device: str) -> int | None:
    """The free memory, in bytes, of the device that models run on for a name, for an estimate.

    torch is not imported: without it, the driver of NVIDIA's GPUs is asked. Apple's GPUs share the
    computer's memory. None if the system does not report it.

    Args:
        device: a name as in `device.choose_device`; that of a device which does not exist counts as
            the CPU.
    """
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return free_bytes()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and device[:3] not in ("xpu", "mps"):
        return int(torch.cuda.mem_get_info(_number(device))[0])
    if torch is not None and device[:3] == "xpu" and torch.xpu.is_available():
        return int(torch.xpu.mem_get_info(_number(device))[0])
    if device[:3] not in ("xpu", "mps"):
        found = _nvidia_free(int(monotonic() // _LATEST_SECONDS))
        if len(found) > _number(device):
            return found[_number(device)]
    return free_bytes()


def free_on(device: torch.device) -> int:
    """The free memory of a device in bytes."""
    if device.type in ("cuda", "xpu"):
        return int(_module(device).mem_get_info(device)[0])
    if device.type == "mps":
        module = _module(device)
        return int(module.recommended_max_memory() - module.driver_allocated_memory())
    import psutil  # type: ignore[import-untyped]

    return int(psutil.virtual_memory().available)


def held_on(device: torch.device) -> int:
    """The memory of a device that this process holds, in bytes."""
    if device.type in ("cuda", "xpu"):
        return int(_module(device).memory_allocated(device))
    if device.type == "mps":
        return int(_module(device).current_allocated_memory())
    import psutil

    return int(psutil.Process().memory_info().rss)


def reset_peak_on(device: torch.device) -> None:
    """Begin a new peak of a device's memory; Apple's GPUs report none."""
    if device.type in ("cuda", "xpu"):
        _module(device).reset_peak_memory_stats(device)
    elif device.type == "cpu":
        reset_peak()


def peak_on(device: torch.device) -> int:
    """The peak of a device's memory in bytes; of Apple's GPUs what the driver holds now."""
    if device.type in ("cuda", "xpu"):
        return int(_module(device).max_memory_allocated(device))
    if device.type == "mps":
        return int(_module(device).driver_allocated_memory())
    return peak_bytes()


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given."""
    if device.type == "mps":
        _module(device).synchronize()
    elif device.type != "cpu":
        _module(device).synchronize(device)


def used_gpus() -> list[torch.device]:
    """The GPUs that torch uses in this process; none before it uses one."""
    loaded = sys.modules.get("torch")
    found: list[torch.device] = []
    # Before that, torch raises if its peak is requested.
    for kind in ("cuda", "xpu") if loaded is not None else ():
        module = getattr(loaded, kind, None)
        if module is not None and module.is_initialized():
            found += [_device(loaded, kind, number) for number in range(module.device_count())]
    metal = getattr(loaded, "mps", None)
    backend = getattr(getattr(loaded, "backends", None), "mps", None)
    if metal is not None and backend is not None and backend.is_available():
        found += [_device(loaded, "mps", 0)] if metal.driver_allocated_memory() else []
    return found


def _device(torch: Any, kind: str, number: int) -> Any:
    return torch.device(kind, number)


def _module(device: torch.device) -> Any:
    """torch's functions for a GPU."""
    import torch

    return getattr(torch, device.type)


def _number(device: str) -> int:
    number = device.partition(":")[2]
    return int(number) if number.isdecimal() else 0


@lru_cache(maxsize=1)
def _nvidia_free(when: int) -> tuple[int, ...]:
    """The free bytes of each NVIDIA GPU, as its driver's program says; () if there is none.

    Args:
        when: changes if the answer is to be a new one.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = ("--query-gpu=memory.free", "--format=csv,noheader,nounits")
    try:
        done = subprocess.run(
            [program, *query],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    lines = done.stdout.split()
    return tuple(int(line) * _MEBIBYTE for line in lines if line.isdecimal())
