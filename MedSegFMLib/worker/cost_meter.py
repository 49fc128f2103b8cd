"""The cost of a request, seconds and peak memory, measured in the worker."""

from __future__ import annotations

import time

from ..system.memory.device_memory import peak_on, reset_peak_on, used_gpus
from ..system.memory.peak_memory import peak_bytes, reset_peak
from .events import Cost


class CostMeter:
    """Measures from its creation, including the loading of a model.

    Memory that is in use at creation counts, so an earlier model must be released before.
    """

    def __init__(self) -> None:
        reset_peak()
        for gpu in used_gpus():
            reset_peak_on(gpu)
        self._loading_seconds = 0.0
        self._began = time.monotonic()

    def loaded(self) -> None:
        """Count the time so far as loading of the model."""
        now = time.monotonic()
        self._loading_seconds, self._began = now - self._began, now

    def cost(self) -> Cost:
        """The cost so far."""
        seconds = time.monotonic() - self._began
        on_gpu = sum(map(peak_on, used_gpus()))
        return Cost(seconds, self._loading_seconds, on_gpu or peak_bytes(), on_gpu > 0)
