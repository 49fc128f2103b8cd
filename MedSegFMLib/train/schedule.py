"""The duration of a training run and its learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from .counters import Counters

Shape = Literal["level", "poly", "cosine"]

# The power of nnU-Net's schedule (Isensee et al., "nnU-Net", 2021), which SAM3D follows.
_POLY = 0.9


class Schedule(Protocol):
    """When a training run ends, and the factor of its highest learning rates."""

    def used(self, now: Counters, begun: Counters) -> float:
        """The used part of the budget; 1 or more if it is used up.

        Args:
            now: the current counters.
            begun: the counters at the start of this call.
        """

    def factor(self, now: Counters, used: float) -> float:
        """The factor of the highest rates, 0 to 1."""

    def keeps(self, used: float) -> bool:
        """Whether training may continue from a checkpoint written at this point."""


@dataclass(frozen=True)
class BudgetSchedule:
    """A budget for each call; the rate rises, stays, and falls at the end of the call.

    The decay improves the network that a call ends with; a later call continues from before it, so
    that a run can be extended at any time (Hägele et al., "Scaling laws and compute-optimal
    training beyond fixed training durations", 2024).

    Attributes:
        minutes: the budget in minutes; 0 for no limit. Whichever budget ends first counts.
        samples: the budget in samples; 0 for no limit.
        warmup: steps over which the rate rises.
        cooldown: the last part of the budget, over which the rate falls.
    """

    minutes: float
    samples: int
    warmup: int
    cooldown: float

    def used(self, now: Counters, begun: Counters) -> float:
        """See `Schedule.used`."""
        # The counted minutes, not the clock, so that the budget agrees with the checkpoint.
        parts = [(now.minutes - begun.minutes) / self.minutes] if self.minutes else []
        parts += [(now.samples - begun.samples) / self.samples] if self.samples else []
        return max(parts)

    def factor(self, now: Counters, used: float) -> float:
        """See `Schedule.factor`."""
        falling = min(1.0, (1.0 - used) / self.cooldown) if self.cooldown else 1.0
        return max(0.0, min(_rising(now.steps, self.warmup), falling))

    def keeps(self, used: float) -> bool:
        """See `Schedule.keeps`."""
        return not self.cooldown or used <= 1 - self.cooldown


@dataclass(frozen=True)
class StepSchedule:
    """A number of steps for all calls together: a run in parts equals a run in one go.

    Attributes:
        steps: the steps of the run.
        warmup: steps over which the rate rises.
        shape: the decay over the whole run: none, as (1 - t)^0.9, or as half a cosine.
    """

    steps: int
    warmup: int
    shape: Shape

    def used(self, now: Counters, begun: Counters) -> float:
        """See `Schedule.used`."""
        return now.steps / self.steps

    def factor(self, now: Counters, used: float) -> float:
        """See `Schedule.factor`."""
        left = max(0.0, 1.0 - used)
        falling = {
            "level": 1.0,
            "poly": left**_POLY,
            "cosine": (1 - math.cos(math.pi * left)) / 2,
        }[self.shape]
        return min(_rising(now.steps, self.warmup), float(falling))

    def keeps(self, used: float) -> bool:
        """See `Schedule.keeps`: always."""
        return True


@dataclass(frozen=True)
class EpochSchedule:
    """A number of epochs for all calls together, after some of which the rate is halved.

    Attributes:
        epochs: the epochs of the run.
        epoch_samples: the samples of an epoch.
        halved_at: the epochs, counted from the start, after which the rate is halved.
        warmup: steps over which the rate rises.
        call: the budget of a call, which may end it earlier; None for none.
    """

    epochs: int
    epoch_samples: int
    halved_at: tuple[int, ...]
    warmup: int = 0
    call: BudgetSchedule | None = None

    def used(self, now: Counters, begun: Counters) -> float:
        """See `Schedule.used`."""
        whole = now.samples / (self.epochs * self.epoch_samples)
        return whole if self.call is None else max(whole, self.call.used(now, begun))

    def factor(self, now: Counters, used: float) -> float:
        """See `Schedule.factor`."""
        halvings = sum(now.samples >= epoch * self.epoch_samples for epoch in self.halved_at)
        return float(min(_rising(now.steps, self.warmup), 0.5**halvings))

    def keeps(self, used: float) -> bool:
        """See `Schedule.keeps`: always."""
        return True


@dataclass(frozen=True)
class InverseRootSchedule:
    """A number of steps for all calls together, over which the rate falls as 1 / sqrt(step).

    As SAM 3's own training has it (its `InverseSquareRootParamScheduler`): the rate rises over
    `warmup` steps, then falls as sqrt(timescale / (step - warmup + timescale)), and in the last
    `cooldown` steps to 0.

    Attributes:
        steps: the steps of the run.
        warmup: steps over which the rate rises.
        cooldown: the last steps, over which the rate falls to 0.
        timescale: the steps after the rise at which the rate has fallen to 1 / sqrt(2).
    """

    steps: int
    warmup: int
    cooldown: int
    timescale: int

    def used(self, now: Counters, begun: Counters) -> float:
        """See `Schedule.used`."""
        return now.steps / self.steps

    def factor(self, now: Counters, used: float) -> float:
        """See `Schedule.factor`."""
        after = max(0, now.steps - self.warmup)
        falling = math.sqrt(self.timescale / (after + self.timescale))
        left = max(0, self.steps - now.steps)
        ending = min(1.0, left / self.cooldown) if self.cooldown else 1.0
        return _rising(now.steps, self.warmup) * falling * ending

    def keeps(self, used: float) -> bool:
        """See `Schedule.keeps`: always."""
        return True


def _rising(steps: int, warmup: int) -> float:
    return min(1.0, (steps + 1) / max(1, warmup))
