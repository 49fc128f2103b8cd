"""Where a model runs, and what the user hears when it cannot. Imports without torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import DeviceError

if TYPE_CHECKING:
    import torch


def require_cpu(model: str, device: str) -> None:
    """Raise DeviceError where a model that knows the CPU alone is asked for another device."""
    if device not in ("auto", "cpu"):
        raise DeviceError(f"The model {model} runs on the CPU alone, not on '{device}'; use cpu.")


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


@contextmanager
def memory_errors(model: str) -> Iterator[None]:
    """Turn CUDA's out-of-memory within the block into a DeviceError with a way out."""
    import torch

    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise DeviceError(
            f"The GPU has no memory left for the model {model}; draw a smaller box, close other "
            "programs that use the GPU, or run on the CPU."
        ) from error
