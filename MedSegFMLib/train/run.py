"""Train a recipe by its name: processes, signals and memory errors around the loop."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import DeviceError
from ..progress import Progress, no_progress
from ..system.device import is_out_of_memory, release_gpu_memory
from ..system.folder_lock import folder_lock
from .distributed import Processes
from .loop import Loop
from .registry import Recipe, recipe
from .run_log import prepare_folder
from .stopping import stop_on_signals


@dataclass(frozen=True)
class Trained:
    """The outcome of a call of training.

    Attributes:
        path: the result.
        samples: the samples seen in all calls.
        scores: the scores of the last validation by name; empty except in the main process.
    """

    path: Path
    samples: int
    scores: Mapping[str, float]


def train(name: str, settings: Any, progress: Progress = no_progress) -> Trained:
    """Start or continue training in the folder `settings.out`.

    A call that is stopped (Cancelled by `progress`, or by SIGINT or SIGTERM as KeyboardInterrupt)
    finishes its step and saves a checkpoint first. Several processes started by `accelerate launch`
    share the work.

    Raises:
        TrainingError: the data or the checkpoint cannot be used, or the loss is not finite.
        DeviceError: the device is missing or its memory is full.
        CasesError, VolumeError, WeightsError: the cases, volumes or weights cannot be used.
        OutputError: the folder cannot be written.
    """
    started = time.perf_counter()
    chosen = recipe(name)
    prepare_folder(settings.out)
    result = settings.out / chosen.RESULT
    with _lock(settings.out), stop_on_signals() as stop, training_memory_errors(chosen):
        processes = Processes(settings.device)
        set_threads(settings.threads)
        task = chosen.task(settings, processes)
        loop = Loop(name, settings, task, processes, progress, stop, started)
        loop.go(result)
    return Trained(result, loop.samples, loop.scores)


def _lock(folder: Path) -> AbstractContextManager[None]:
    """The lock on a run's folder, for the first of several processes of accelerate only."""
    if os.environ.get("RANK", "0") != "0":
        return nullcontext()
    return folder_lock(folder, "or name another as out=")


def set_threads(threads: int) -> None:
    """Set the threads of torch; 0 leaves them to torch.

    To be called after accelerate, which sets them if there are several processes.
    """
    if threads:
        torch.set_num_threads(threads)


@contextmanager
def training_memory_errors(chosen: Recipe) -> Iterator[None]:
    """Convert an out-of-memory error in the block to a DeviceError that names what uses less."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        release_gpu_memory()
        raise DeviceError(
            f"There is not enough memory for this training; give {chosen.SMALLER}, and check with "
            "--dry-run what that needs."
        ) from error
