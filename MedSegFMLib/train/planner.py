"""The resources that a training run needs here: predicted, and measured over a few steps."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import TrainingError
from ..progress import Progress, no_progress, part_of
from ..system.memory.device_memory import free_on, held_on, peak_on, reset_peak_on, wait_for
from .distributed import Processes
from .registry import recipe
from .run import set_threads, training_memory_errors
from .step import LossError, step

# The first step loads and allocates; only the others are timed.
_STEPS = 4
_PREPARING = 0.5


@dataclass(frozen=True)
class Plan:
    """The resources of a training run.

    Attributes:
        device: the device of the measurement.
        available_bytes: the memory that was free before.
        predicted_bytes: the predicted peak over the steps, without the memory that this process
            held before the network was built.
        measured_bytes: the measured peak, likewise.
        seconds_per_step: the mean after the first step.
        steps: the steps of the whole run; None if the budget is a time.
    """

    device: str
    available_bytes: int
    predicted_bytes: int
    measured_bytes: int
    seconds_per_step: float
    steps: int | None


def plan(name: str, settings: Any, progress: Progress = no_progress) -> Plan:
    """Take a few steps and discard them; nothing is written to `settings.out`.

    Raises:
        MedSegFMError: as `run.train`.
    """
    chosen = recipe(name)
    with training_memory_errors(chosen), TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = replace(settings, out=Path(folder))
        processes = Processes(settings.device)
        set_threads(settings.threads)
        device = processes.device
        available, before = free_on(device), held_on(device)
        task = chosen.task(settings, processes)
        task.begin()
        task.prepare(part_of(progress, 0.0, _PREPARING), brief=True)
        seconds: list[float] = []
        reset_peak_on(device)
        with closing(task.batches(processes.index, processes.count)) as batches:
            for number in range(_STEPS):
                progress(_PREPARING + number / _STEPS * (1 - _PREPARING), "Measuring a step")
                started = time.perf_counter()
                first = number * settings.accumulate * processes.count
                try:
                    step(task, batches, processes, settings.accumulate, first, 0.0)
                except LossError as error:
                    raise TrainingError(f"{error} at batch {first}; check the volumes.") from error
                wait_for(device)
                seconds.append(time.perf_counter() - started)
        return Plan(
            str(device),
            available,
            task.predicted_bytes(),
            max(0, peak_on(device) - before),
            sum(seconds[1:]) / (_STEPS - 1),
            getattr(settings, "steps", None),
        )
