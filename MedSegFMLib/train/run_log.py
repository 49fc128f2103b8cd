"""The readable output of a training run: the log, previews, and a progress phrase."""

from __future__ import annotations

import logging
import os
import time
from importlib.util import find_spec
from pathlib import Path

from ..errors import OutputError
from ..progress import Progress
from ..system.atomic_files import make_folder
from .counters import Counters
from .log import TrainingLog
from .task import Task
from .throughput import ThroughputMeter

logger = logging.getLogger(__name__)

PREVIEW_FILE = "preview.png"

# A picture takes about a second, during which a GPU is idle.
_PREVIEW_SECONDS = 60.0


def prepare_folder(path: Path) -> None:
    """Create a folder for results.

    Raises:
        OutputError: it cannot be created or written to.
    """
    make_folder(path, "name another as out=")
    if not os.access(path, os.W_OK):
        raise OutputError(f"The folder {path} cannot be written to; name another as out=.")


def samples_text(count: int) -> str:
    """A number of samples as text."""
    return f"{count} sample" if count == 1 else f"{count} samples"


def can_draw() -> bool:
    """Whether matplotlib is installed; if not, this is logged."""
    if find_spec("matplotlib") is None:
        logger.info("No previews are drawn: matplotlib is not installed.")
        return False
    return True


class RunLog:
    """The log and the previews of a run, written by the main process.

    Args:
        folder: the folder of the run.
        task: the task, which scores and draws.
        counters: the counters at the start of the call.

    Attributes:
        scores: the scores of the last validation by name.
    """

    def __init__(self, folder: Path, task: Task, counters: Counters) -> None:
        self._folder = folder
        self._task = task
        self._log = TrainingLog(folder, counters.samples)
        self._draws = can_draw()
        self._drawn_at = -_PREVIEW_SECONDS
        self._validated_samples = -1
        samples = counters.samples
        self._speed = (
            f"Continuing after {samples_text(samples)}" if samples else "Making the first samples"
        )
        self.scores: dict[str, float] = {}
        self._said = ""

    @property
    def phrase(self) -> str:
        """The phrase for the progress line."""
        return self._speed + self._said

    def report(self, counters: Counters, meter: ThroughputMeter, rate: float) -> None:
        """Log the values of the meter."""
        values = meter.report(counters.samples)
        self._log.write(counters.samples, counters.minutes, rate=rate, **values)
        self._speed = (
            f"Training, {samples_text(counters.samples)}, loss {values['loss']:.3f}, "
            f"{values['samples_per_second']:.1f} samples/s"
        )

    def validate(self, counters: Counters, progress: Progress, last: bool = False) -> None:
        """Score data that is never trained on and, at intervals and at the end, draw some of it."""
        if counters.samples != self._validated_samples:
            self._score(counters, progress)
        if self._draws and (last or time.monotonic() - self._drawn_at >= _PREVIEW_SECONDS):
            title = f"{samples_text(counters.samples)}{self._said}"
            self._task.draw(self._folder / PREVIEW_FILE, title)
            self._drawn_at = time.monotonic()

    def _score(self, counters: Counters, progress: Progress) -> None:
        self.scores = self._task.validate(progress)
        self._validated_samples = counters.samples
        self._log.write(counters.samples, counters.minutes, **self.scores)
        texts = [f"{name} {value:.3f}" for name, value in self.scores.items()]
        # The first and the last fit on a line.
        self._said = "".join(f", {word}" for word in dict.fromkeys(texts[:1] + texts[-1:]))
        logger.info("%s: %s", samples_text(counters.samples), ", ".join(texts))

    def close(self) -> None:
        """Close the log."""
        self._log.close()
