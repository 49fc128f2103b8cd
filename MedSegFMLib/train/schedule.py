"""The learning rate over a budget of unknown length: up, level, down at the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What a call of training may use; 0 is no limit."""

    minutes: float
    samples: int

    def used(self, minutes: float, samples: int) -> float:
        """The part of the budget that is used, 1 or more where it is spent."""
        parts = [minutes / self.minutes] if self.minutes else []
        parts += [samples / self.samples] if self.samples else []
        return max(parts)


def rate_factor(step: int, warmup: int, used: float, cooldown: float) -> float:
    """By what the highest rate is multiplied, 0 to 1.

    It rises over `warmup` steps of the optimiser, stays, and falls to 0 over the last `cooldown`
    part of the budget, so that one run can go on from any point before that (Hägele et al.,
    "Scaling laws and compute-optimal training beyond fixed training durations", 2024).
    """
    rising = min(1.0, (step + 1) / max(1, warmup))
    falling = min(1.0, (1.0 - used) / cooldown) if cooldown else 1.0
    return max(0.0, min(rising, falling))
