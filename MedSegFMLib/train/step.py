"""One step of the optimisers: batches, gradients, the processes' mean, and a turn."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from .batch_tensors import on_device
from .distributed import Processes
from .task import Task


class LossError(ArithmeticError):
    """A batch whose loss, or the gradient of it, is no number. Nothing was changed by it.

    batch: of several processes, the one that this one had then.
    """

    def __init__(self, batch: Any, loss: float) -> None:
        named = f"gradient of a loss of {loss:.4g} became no number"
        super().__init__(f"The {named if math.isfinite(loss) else f'loss became {loss}'}")
        self.batch = batch
        self.loss = loss


@dataclass(frozen=True)
class Step:
    """What a step told: the mean of its values, and how long its batches were waited for."""

    values: dict[str, float]
    waited_seconds: float


def step(
    task: Task,
    batches: Iterator[Any],
    processes: Processes,
    accumulate: int,
    first: int,
    factor: float,
) -> Step:
    """Learn from `accumulate` batches in each process, and turn the weights once.

    first: the number of the first batch of all processes. factor: of the highest rates. Raises
    LossError before anything is changed.
    """
    sums: dict[str, float] = {}
    waited_seconds = 0.0
    for place in range(accumulate):
        asked = time.perf_counter()
        batch = next(batches)
        waited_seconds += time.perf_counter() - asked
        number = first + place * processes.count + processes.index
        values = task.backward(on_device(batch, processes.device), number, 1 / accumulate)
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(value) / accumulate
        if not math.isfinite(sums["loss"]):
            break
    # All processes hear of it where one has met a loss that is no number.
    _, bad = processes.agreed(0.0, not math.isfinite(sums["loss"]))
    trainable = task.parameters()
    if not bad:
        processes.average_gradients(trainable)
        norm = float(nn.utils.clip_grad_norm_(trainable, task.largest_gradient))
        bad = not math.isfinite(norm)
    if bad:
        for optimiser in task.optimisers:
            optimiser.zero_grad()
        raise LossError(batch, sums["loss"])
    for optimiser in task.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = factor * group["peak"]
        optimiser.step()
        optimiser.zero_grad()
    task.after_step()
    return Step(sums, waited_seconds)
