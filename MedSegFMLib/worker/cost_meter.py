"""The cost of a request, seconds and peak memory, measured in the worker."""

from __future__ import annotations

import sys
import time
from typing import Any

from ..system.peak_memory import peak_bytes, reset_peak
from .events import Cost


class CostMeter:
    """Measures from its creation, including the loading of a model.

    Memory that is in use at creation counts, so an earlier model must be released before.
    """

    def __init__(self) -> None:
        reset_peak()
        for number, cuda in _gpus():
            cuda.reset_peak_memory_stats(number)
        self._loading_seconds = 0.0
        self._began = time.monotonic()

    def loaded(self) -> None:
        """Count the time so far as loading of the model."""
        now = time.monotonic()
        self._loading_seconds, self._began = now - self._began, now

    def cost(self) -> Cost:
        """The cost so far."""
        seconds = time.monotonic() - self._began
        on_gpu = sum(int(cuda.max_memory_allocated(number)) for number, cuda in _gpus())
        return Cost(seconds, self._loading_seconds, on_gpu or peak_bytes(), on_gpu > 0)


def _gpus() -> list[tuple[int, Any]]:
    """The GPUs of this process by number, each with `torch.cuda`; none before torch uses one."""
    torch = sys.modules.get("torch")
    # Before that, torch raises if its peak is requested.
    if torch is None or not torch.cuda.is_initialized():
        return []
    return [(number, torch.cuda) for number in range(torch.cuda.device_count())]
