"""Choice of the device a model runs on, and its errors. Imports without torch.

Devices are named as in torch: "cpu", "cuda:N" (NVIDIA and AMD), "xpu:N" (Intel) and "mps" (Apple).
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DeviceError
from .installing import extra_command

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

# What users may name, for help.
DEVICE_NAMES = ("auto", "cpu", "gpu", "cuda", "xpu", "mps")
DEVICE_HELP = "auto, cpu, gpu (the first of any kind), cuda:N, xpu:N or mps"

_KINDS = ("cuda", "xpu", "mps")
# The libraries of the drivers without which torch finds no such GPU.
_DRIVERS = {
    "linux": ("libcuda.so.1", "libze_loader.so.1"),
    "win32": ("nvcuda.dll", "amdhip64.dll", "ze_loader.dll"),
}
# The driver of AMD's GPUs on Linux, whose libraries torch brings along.
_AMD = Path("/dev/kfd")
# Metal's has no class of its own.
_MPS_MEMORY = "MPS backend out of memory"


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
        if device.partition(":")[0] in ("gpu", *_KINDS):
            raise DeviceError(
                f"The device '{device}' needs torch, which is not installed; run: "
                f"{extra_command('models')}, or use cpu."
            )
        raise DeviceError(f"The device '{device}' does not exist; use {DEVICE_HELP}.")
    if device == "auto" and not may_have_gpu():
        return True
    kind: str = choose_device(device).type
    return kind == "cpu"


def may_have_gpu() -> bool:
    """Whether a GPU's driver is installed, without initialising the device."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if _AMD.exists():
        return True
    for name in _DRIVERS.get(sys.platform, ()):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def choose_device(device: str) -> torch.device:
    """The torch device of a name: "auto" (a GPU if there is one), "gpu" (the first one) or its own.

    Raises:
        DeviceError: the device does not exist; the message lists those that do.
    """
    import torch

    gpus = _gpus(torch)
    available = ["cpu", *gpus]
    first = {kind: next((n for n in gpus if n.startswith(kind)), kind) for kind in _KINDS}
    stands_for = {"auto": available[min(len(gpus), 1)], "gpu": (*gpus, "gpu")[0], "mps:0": "mps"}
    chosen = (stands_for | first).get(device, device)
    if chosen not in available:
        raise DeviceError(
            f"The device '{device}' does not exist; this computer has {', '.join(available)} "
            "(or auto)."
        )
    return torch.device(chosen)


def _gpus(torch: Any) -> list[str]:
    """The names of the GPUs that torch can use, those of NVIDIA first."""
    found = []
    for kind in ("cuda", "xpu"):
        module = getattr(torch, kind, None)
        if module is not None and module.is_available():
            found += [f"{kind}:{number}" for number in range(module.device_count())]
    metal = getattr(torch.backends, "mps", None)
    return [*found, *(["mps"] if metal is not None and metal.is_available() else [])]


def fast_type(device: torch.device) -> torch.dtype | None:
    """The 16-bit type in which a GPU computes networks; None for 32 bits.

    That is bfloat16, or float16 if CUDA's device has none. Apple's GPUs compute in 32 bits: their
    float16 has not been tested with these networks.
    """
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if device.type == "xpu" else None


def fast_gpu(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which networks compute in 16 bits on a GPU that has them."""
    import torch

    kind = fast_type(device)
    return nullcontext() if kind is None else torch.autocast(device.type, kind)


def on_device(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """An array as a tensor on a device; float64 becomes float32 on Apple's GPUs, which lack it."""
    import numpy as np
    import torch

    if device.type == "mps" and array.dtype == np.float64:
        array = array.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or the cause of a DeviceError, means that memory is exhausted."""
    if isinstance(error, DeviceError):
        return error.__cause__ is not None and is_out_of_memory(error.__cause__)
    return isinstance(error, MemoryError) or (
        # torch's message differs between systems.
        isinstance(error, RuntimeError) and (_is_gpu_memory_error(error) or "alloc" in str(error))
    )


def is_gpu_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one of its causes, means that a GPU's memory is exhausted."""
    cause: BaseException | None = error
    while cause is not None and not _is_gpu_memory_error(cause):
        cause = cause.__cause__
    return cause is not None


def forget_frames(error: BaseException) -> None:
    """Drop the frames that an error and its causes refer to, which hold tensors."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]


def release_gpu_memory() -> None:
    """Give the memory that torch keeps for later back to the GPUs that it uses."""
    torch = sys.modules.get("torch")
    for kind in _KINDS if torch is not None else ():
        module = getattr(torch, kind, None)
        if module is not None and (kind != "mps" or "mps" in _gpus(torch)):
            module.empty_cache()


def _is_gpu_memory_error(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.cuda.OutOfMemoryError) or _MPS_MEMORY in str(error)


@contextmanager
def memory_errors(model: str) -> Iterator[None]:
    """Convert an out-of-memory error in the block, of GPU or CPU, to a DeviceError with advice.

    Other errors are unchanged.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if _is_gpu_memory_error(error):
            release_gpu_memory()
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
