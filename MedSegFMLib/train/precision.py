"""The choice of 16-bit computation in training steps."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "bf16", "no"]


def is_half(precision: Precision, device: torch.device) -> bool:
    """Whether to compute in bfloat16; "auto" does so only on GPUs of NVIDIA, AMD and Intel."""
    return precision == "bf16" or (precision == "auto" and device.type in ("cuda", "xpu"))


def autocast(device: torch.device, half: bool) -> AbstractContextManager[None]:
    """A context in which networks compute in bfloat16 if `half`."""
    import torch

    context: AbstractContextManager[None] = torch.autocast(
        device.type, torch.bfloat16, enabled=half
    )
    return context
