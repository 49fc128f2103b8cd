"""A training from its recipe's name: processes, signals and memory, around the loop."""

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
from ..system.device import is_out_of_memory
from ..system.folder_lock import folder_lock
from .distributed import Processes
from .loop import Loop
from .registry import Recipe, recipe
from .run_log import prepare_folder
from .stopping import stop_on_signals


@dataclass(frozen=True)
class Trained:
    """What a call of training came to.

    path: of the result. samples: seen in all calls. scores: of the last validation, by name; only
        the main process of several has them.
    """

    path: Path
    samples: int
    scores: Mapping[str, float]


def train(name: str, settings: Any, progress: Progress = no_progress) -> Trained:
    """Train, or go on training, in the folder `settings.out`.

    A call that is stopped (Cancelled by `progress`, or by SIGINT or SIGTERM as KeyboardInterrupt)
    ends its step and saves its checkpoint first. Several processes that `accelerate launch` starts
    share the work. Raises TrainingError for data, or a checkpoint, that cannot be trained on and
    for a loss that is no number, DeviceError for a device that is missing or full, CasesError,
    VolumeError or WeightsError for unusable cases, volumes or weights, OutputError where the
    folder cannot be written.
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
    """Those of torch; 0 leaves them to it. After accelerate, which sets them for many processes."""
    if threads:
        torch.set_num_threads(threads)


@contextmanager
def training_memory_errors(chosen: Recipe) -> Iterator[None]:
    """Turn an out-of-memory within the block into a DeviceError that names what takes less."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise DeviceError(
            f"There is no memory left for this training; give {chosen.SMALLER}, and see with "
            "--dry-run what that takes."
        ) from error
