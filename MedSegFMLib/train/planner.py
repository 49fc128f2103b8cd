"""The resources that a training run needs here: predicted, and measured over a few steps."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..errors import TrainingError
from ..progress import Progress, no_progress, part_of
from ..system.peak_memory import peak_bytes, reset_peak
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
        available, before = _free(device), _held(device)
        task = chosen.task(settings, processes)
        task.begin()
        task.prepare(part_of(progress, 0.0, _PREPARING), brief=True)
        seconds: list[float] = []
        _reset(device)
        with closing(task.batches(processes.index, processes.count)) as batches:
            for number in range(_STEPS):
                progress(_PREPARING + number / _STEPS * (1 - _PREPARING), "Measuring a step")
                started = time.perf_counter()
                first = number * settings.accumulate * processes.count
                try:
                    step(task, batches, processes, settings.accumulate, first, 0.0)
                except LossError as error:
                    raise TrainingError(f"{error} at batch {first}; check the volumes.") from error
                _wait_for(device)
                seconds.append(time.perf_counter() - started)
        return Plan(
            str(device),
            available,
            task.predicted_bytes(),
            max(0, _peak(device) - before),
            sum(seconds[1:]) / (_STEPS - 1),
            getattr(settings, "steps", None),
        )


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil  # type: ignore[import-untyped]

    return int(psutil.virtual_memory().available)


def _held(device: torch.device) -> int:
    """The memory of this process."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    import psutil

    return int(psutil.Process().memory_info().rss)


def _reset(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        reset_peak()


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return peak_bytes()
