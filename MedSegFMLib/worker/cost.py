"""What a request takes: seconds and peak memory, measured in the worker."""

from __future__ import annotations

import sys
import time
from typing import Any

from ..peak_memory import peak_bytes, reset_peak
from .events import Cost


class Meter:
    """Measures from when it is made; the model may be loaded meanwhile."""

    def __init__(self) -> None:
        reset_peak()
        cuda = _cuda()
        if cuda is not None:
            cuda.reset_peak_memory_stats()
        self._loading_seconds = 0.0
        self._began = time.monotonic()

    def loaded(self) -> None:
        """All that was done so far was to load the model."""
        now = time.monotonic()
        self._loading_seconds, self._began = now - self._began, now

    def cost(self) -> Cost:
        """What was taken so far."""
        seconds = time.monotonic() - self._began
        cuda = _cuda()
        on_gpu = 0 if cuda is None else int(cuda.max_memory_allocated())
        return Cost(seconds, self._loading_seconds, on_gpu or peak_bytes(), on_gpu > 0)


def _cuda() -> Any | None:
    """`torch.cuda` where torch is loaded and a GPU is there."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None
