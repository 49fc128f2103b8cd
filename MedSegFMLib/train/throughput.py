"""What the log says about a stretch of training."""

from __future__ import annotations

import time
from collections.abc import Mapping


class ThroughputMeter:
    """Losses, speed and waiting since the last report, or since `samples` were seen."""

    def __init__(self, samples: int) -> None:
        self._begin(samples)

    @property
    def seconds(self) -> float:
        """Since the last report."""
        return time.perf_counter() - self._begun

    @property
    def empty(self) -> bool:
        """Whether nothing was added since the last report."""
        return not self._steps

    def add(self, values: Mapping[str, float], waited_seconds: float) -> None:
        """A step's values, and the wait for its batches."""
        self._steps += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._waited_seconds += waited_seconds

    def report(self, samples: int) -> dict[str, float]:
        """Mean values, samples a second and the part of the time that was waited; begins anew."""
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
