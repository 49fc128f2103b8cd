"""One step of the optimisers: batches, gradients, their mean over processes, and the update."""

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
    """A batch whose loss, or the gradient of it, is not finite. Nothing was changed.

    Attributes:
        batch: the batch; of several processes, the one of this process.
        loss: the loss.
    """

    def __init__(self, batch: Any, loss: float) -> None:
        gradient = f"gradient of a loss of {loss:.4g} is not finite"
        super().__init__(f"The {gradient if math.isfinite(loss) else f'loss became {loss}'}")
        self.batch = batch
        self.loss = loss


@dataclass(frozen=True)
class Step:
    """The outcome of a step.

    Attributes:
        values: the mean of each logged value.
        waited_seconds: the time spent waiting for batches.
    """

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
    """Learn from `accumulate` batches in each process and update the weights once.

    Args:
        task: the task.
        batches: the batches of this process.
        processes: the processes.
        accumulate: the number of batches.
        first: the number of the first batch of all processes.
        factor: the factor of the highest rates.

    Raises:
        LossError: a loss or gradient is not finite; nothing was changed.
    """
    sums: dict[str, float] = {}
    waited_seconds = 0.0
    for place in range(accumulate):
        requested = time.perf_counter()
        batch = next(batches)
        waited_seconds += time.perf_counter() - requested
        number = first + place * processes.count + processes.index
        values = task.backward(on_device(batch, processes.device), number, 1 / accumulate)
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(value) / accumulate
        if not math.isfinite(sums["loss"]):
            break
    # All processes stop if the loss of one of them is not finite.
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
