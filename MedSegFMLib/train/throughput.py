"""Losses and speed of an interval of training, for the log."""

from __future__ import annotations

import time
from collections.abc import Mapping


class ThroughputMeter:
    """Losses, speed and waiting time since the last report.

    Args:
        samples: the samples seen so far.
    """

    def __init__(self, samples: int) -> None:
        self._begin(samples)

    @property
    def seconds(self) -> float:
        """The seconds since the last report."""
        return time.perf_counter() - self._begun

    @property
    def empty(self) -> bool:
        """Whether nothing was added since the last report."""
        return not self._steps

    def add(self, values: Mapping[str, float], waited_seconds: float) -> None:
        """Add a step's values and the waiting time for its batches."""
        self._steps += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._waited_seconds += waited_seconds

    def report(self, samples: int) -> dict[str, float]:
        """Return mean values, samples per second and the fraction of time waited, and reset."""
        seconds = self.seconds
        values = {
            **{name: total / self._steps for name, total in self._sums.items()},
            "samples_per_second": (samples - self._samples) / seconds,
            "waiting": self._waited_seconds / seconds,
        }
        self._begin(samples)
        return values

    def _begin(self, samples: int) -> None:
        self._begun = time.perf_counter()
        self._samples = samples
        self._steps = 0
        self._sums: dict[str, float] = {}
        self._waited_seconds = 0.0
