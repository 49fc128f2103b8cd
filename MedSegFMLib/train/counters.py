"""Counters of a training run over all calls and all processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counters:
    """The progress of a run.

    Attributes:
        batches: batches made; each has its own number.
        samples: objects or slices in them.
        steps: steps of the optimiser.
        minutes: the duration of all calls.
    """

    batches: int = 0
    samples: int = 0
    steps: int = 0
    minutes: float = 0.0
