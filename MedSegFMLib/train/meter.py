"""What the log says about a stretch of training."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from ..errors import TrainingError


class Meter:
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
        return not self._losses

    def add(self, loss: Tensor, waited_seconds: float) -> None:
        """A step's loss, a scalar that stays on its device, and the wait for its batches."""
        self._losses.append(loss)
        self._waited_seconds += waited_seconds

    def check(self) -> None:
        """Raise TrainingError where a loss was no number: nothing from here on is worth saving."""
        if not self.empty and not math.isfinite(self._mean_loss()):
            raise TrainingError(
                f"The loss became {self._mean_loss()} after {self._samples} samples; run again to "
                "go on from the last checkpoint, with a lower rate=."
            )

    def report(self, samples: int) -> dict[str, float]:
        """Mean loss, samples a second and the part of the time that was waited; begins anew."""
        self.check()
        seconds = self.seconds
        values = {
            "loss": self._mean_loss(),
            "samples_per_second": (samples - self._samples) / seconds,
            "waiting": self._waited_seconds / seconds,
        }
        self._begin(samples)
        return values

    def _mean_loss(self) -> float:
        return float(torch.stack(self._losses).mean())

    def _begin(self, samples: int) -> None:
        self._begun = time.perf_counter()
        self._samples = samples
        self._losses: list[Tensor] = []
        self._waited_seconds = 0.0
