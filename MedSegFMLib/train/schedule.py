"""How long a training goes on, and its learning rate meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from .counters import Counters

Shape = Literal["level", "poly", "cosine"]

# The power of nnU-Net's schedule (Isensee et al., "nnU-Net", 2021), which SAM3D follows.
_POLY = 0.9


class Schedule(Protocol):
    """When a training ends, and by what its highest rates are multiplied."""

    def used(self, now: Counters, begun: Counters) -> float:
        """The part of the budget that is used, 1 or more where it is spent.

        begun: where this call began.
        """

    def factor(self, now: Counters, used: float) -> float:
        """Of the highest rates, 0 to 1."""

    def keeps(self, used: float) -> bool:
        """Whether a checkpoint of this moment is one to go on from."""


@dataclass(frozen=True)
class BudgetSchedule:
    """A budget for each call; the rate rises, stays, and falls at the call's end.

    The network that a call ends with is the better for the fall, and a later call goes on from
    before it, so that one run can be lengthened at will (Hägele et al., "Scaling laws and
    compute-optimal training beyond fixed training durations", 2024).

    minutes, samples: the budget; 0 is no limit, and whichever ends first counts.
    warmup: steps over which the rate rises. cooldown: the last part of the budget.
    """

    minutes: float
    samples: int
    warmup: int
    cooldown: float

    def used(self, now: Counters, begun: Counters) -> float:
        """See `Schedule.used`."""
        # The minutes as counted, not the clock: what the checkpoint says is what was spent.
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
    """A number of steps for all calls together: a run in parts is the run in one go.

    warmup: steps over which the rate rises.
    shape: how it falls over the whole run: not at all, as (1 - t)^0.9, or as half a cosine.
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


def _rising(steps: int, warmup: int) -> float:
    return min(1.0, (steps + 1) / max(1, warmup))
