"""What a training has done in all its calls, by all its processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counters:
    """batches: made, each with a number of its own. samples: objects or slices in them.

    steps: of the optimiser. minutes: of all calls.
    """

    batches: int = 0
    samples: int = 0
    steps: int = 0
    minutes: float = 0.0
