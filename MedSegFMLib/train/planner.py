"""What a training will take on this machine: predicted, and measured over a few steps."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch

from ..errors import TrainingError
from ..progress import Progress, no_progress, part_of
from ..system.peak_memory import peak_bytes, reset_peak
from .distributed import Processes
from .registry import recipe
from .run import set_threads, training_memory_errors
from .step import LossError, step

# The first step fetches and allocates; the others tell how long one takes.
_STEPS = 4
_PREPARING = 0.5


@dataclass(frozen=True)
class Plan:
    """Of one training.

    device: where it was measured. available_bytes: what was free there before.
    predicted_bytes, measured_bytes: the peak over the steps, beyond what this process held before
        the network was built.
    seconds_per_step: the mean after the first. steps: of the whole run, None for a budget of time.
    """

    device: str
    available_bytes: int
    predicted_bytes: int
    measured_bytes: int
    seconds_per_step: float
    steps: int | None


def plan(name: str, settings: Any, progress: Progress = no_progress) -> Plan:
    """Take a few steps and forget them; nothing is written into `settings.out`.

    Raises what `run.train` raises.
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
                    raise TrainingError(
                        f"{error} at batch {first}; look at the volumes."
                    ) from error
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
    return int(psutil.virtual_memory().available)


def _held(device: torch.device) -> int:
    """By this process."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
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
