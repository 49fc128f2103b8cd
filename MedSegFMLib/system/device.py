"""Choice of the device a model runs on, and its errors. Imports without torch."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import DeviceError
from .installing import extra_command

if TYPE_CHECKING:
    import torch


def require_cpu(model: str, device: str) -> None:
    """Check the device of a model that supports the CPU only.

    Raises:
        DeviceError: another device is requested.
    """
    if device not in ("auto", "cpu"):
        raise DeviceError(f"The model {model} runs on the CPU only, not on '{device}'; use cpu.")


def is_cpu(device: str) -> bool:
    """Whether a model runs on the CPU for a requested `device`, as in `choose_device`.

    torch is imported only if it is installed and a GPU may exist or is requested.

    Raises:
        DeviceError: the device does not exist or needs torch, which is not installed.
    """
    if device == "cpu":
        return True
    if find_spec("torch") is None:
        if device == "auto":
            return True
        if device.startswith("cuda"):
            raise DeviceError(
                f"The device '{device}' needs torch, which is not installed; run: "
                f"{extra_command('models')}, or use cpu."
            )
        raise DeviceError(f"The device '{device}' does not exist; use cpu, cuda or auto.")
    if device == "auto" and not _has_driver():
        return True
    kind: str = choose_device(device).type
    return kind == "cpu"


def _has_driver() -> bool:
    """Whether a CUDA driver is installed, without initialising the device."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def choose_device(device: str) -> torch.device:
    """The torch device of "auto" (CUDA if available), "cpu", "cuda" or "cuda:N".

    Raises:
        DeviceError: the device does not exist; the message lists those that do.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    available = ["cpu", *(f"cuda:{number}" for number in range(count))]
    chosen = {"auto": available[min(count, 1)], "cuda": "cuda:0"}.get(device, device)
    if chosen not in available:
        raise DeviceError(
            f"The device '{device}' does not exist; this computer has {', '.join(available)} "
            "(or auto)."
        )
    return torch.device(chosen)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or the cause of a DeviceError, means that memory is exhausted."""
    if isinstance(error, DeviceError):
        return error.__cause__ is not None and is_out_of_memory(error.__cause__)
    return isinstance(error, MemoryError) or (
        # torch's message differs between systems.
        isinstance(error, RuntimeError) and (_is_gpu_memory_error(error) or "alloc" in str(error))
    )


def _is_gpu_memory_error(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.cuda.OutOfMemoryError)


@contextmanager
def memory_errors(model: str) -> Iterator[None]:
    """Convert an out-of-memory error in the block, of GPU or CPU, to a DeviceError with advice.

    Other errors are unchanged.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if _is_gpu_memory_error(error):
            sys.modules["torch"].cuda.empty_cache()
            raise DeviceError(
                f"The GPU has not enough memory for the model {model}; draw a smaller box, close "
                "other programs that use the GPU, or run on the CPU."
            ) from error
        if not isinstance(error, DeviceError) and is_out_of_memory(error):
            raise DeviceError(
                f"The computer has not enough memory for the model {model}; close other programs, "
                "or use the model randomwalk."
            ) from error
        raise
