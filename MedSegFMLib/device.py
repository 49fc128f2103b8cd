"""Where a model runs."""

from __future__ import annotations

from .errors import DeviceError


def require_cpu(model: str, device: str) -> None:
    """Raise DeviceError where a model that knows the CPU alone is asked for another device."""
    if device not in ("auto", "cpu"):
        raise DeviceError(f"The model {model} runs on the CPU alone, not on '{device}'; use cpu.")
