"""Where a model runs, and what the user hears when it cannot. Imports without torch."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import DeviceError

if TYPE_CHECKING:
    import torch


def require_cpu(model: str, device: str) -> None:
    """Raise DeviceError where a model that knows the CPU alone is asked for another device."""
    if device not in ("auto", "cpu"):
        raise DeviceError(f"The model {model} runs on the CPU alone, not on '{device}'; use cpu.")


def is_cpu(device: str) -> bool:
    """Whether a model runs on the CPU where it is asked for `device`, as in `choose_device`.

    torch is loaded only where it is installed and either a GPU may be here or one is asked for.
    """
    if device == "cpu":
        return True
    if find_spec("torch") is None:
        if device == "auto":
            return True
        if device.startswith("cuda"):
            raise DeviceError(
                f"The device '{device}' needs torch, not installed here; run: "
                "pip install torch, or use cpu."
            )
        raise DeviceError(f"The device '{device}' is not there; use cpu, cuda or auto.")
    if device == "auto" and not _has_driver():
        return True
    kind: str = choose_device(device).type
    return kind == "cpu"


def _has_driver() -> bool:
    """Whether the driver of a CUDA device is installed, without waking it."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def choose_device(device: str) -> torch.device:
    """The torch device of "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:N".

    Raises DeviceError, which names what there is, for any other device or one that is not there.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cpu", *(f"cuda:{number}" for number in range(count))]
    wanted = {"auto": there[min(count, 1)], "cuda": "cuda:0"}.get(device, device)
    if wanted not in there:
        raise DeviceError(
            f"The device '{device}' is not there; this computer has {', '.join(there)} (or auto)."
        )
    return torch.device(wanted)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or the cause of a DeviceError, says that memory is full, a GPU's or not."""
    if isinstance(error, DeviceError):
        return error.__cause__ is not None and is_out_of_memory(error.__cause__)
    return isinstance(error, MemoryError) or (
        # torch says so in other words on each system.
        isinstance(error, RuntimeError) and (_is_of_gpu(error) or "alloc" in str(error))
    )


def _is_of_gpu(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.cuda.OutOfMemoryError)


@contextmanager
def memory_errors(model: str) -> Iterator[None]:
    """Turn an out-of-memory within the block, of GPU or computer, into a DeviceError.

    It names a way out. Any other error stays as it is.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if _is_of_gpu(error):
            sys.modules["torch"].cuda.empty_cache()
            raise DeviceError(
                f"The GPU has no memory left for the model {model}; draw a smaller box, close "
                "other programs that use the GPU, or run on the CPU."
            ) from error
        if not isinstance(error, DeviceError) and is_out_of_memory(error):
            raise DeviceError(
                f"The computer has no memory left for the model {model}; close other programs, "
                "or use the model randomwalk."
            ) from error
        raise
