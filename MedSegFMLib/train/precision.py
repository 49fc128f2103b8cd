"""Whether a step computes in 16 bits."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "bf16", "no"]


def is_half(precision: Precision, device: torch.device) -> bool:
    """Whether in bfloat16: "auto" is so on a GPU alone."""
    return precision == "bf16" or (precision == "auto" and device.type == "cuda")


def autocast(device: torch.device, half: bool) -> AbstractContextManager[None]:
    """A context in which networks compute in bfloat16 where `half`."""
    import torch

    context: AbstractContextManager[None] = torch.autocast(
        device.type, torch.bfloat16, enabled=half
    )
    return context
