"""What a training writes for people: the log, previews, and a phrase about how it goes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ..atomic import make_folder
from ..errors import OutputError
from . import preview
from .ensam_state import Counters
from .learner import Learner
from .log import TrainingLog
from .meter import Meter
from .samples import Batch
from .validation import Validation, validate

logger = logging.getLogger(__name__)

# A picture takes about a second, in which a GPU waits.
_PREVIEW_SECONDS = 60.0


def prepare_folder(path: Path) -> None:
    """Make a folder for results; OutputError where it cannot be made or written to."""
    make_folder(path, "name another as out=")
    if not os.access(path, os.W_OK):
        raise OutputError(f"The folder {path} cannot be written to; name another as out=.")


class Outputs:
    """The log and the previews in a folder, of the main process.

    objects: the validation batches. counters: where the call begins.
    """

    def __init__(
        self,
        folder: Path,
        learner: Learner,
        objects: Sequence[Batch],
        device: torch.device,
        counters: Counters,
    ) -> None:
        self._folder = folder
        self._learner = learner
        self._objects = objects
        self._device = device
        self._log = TrainingLog(folder, counters.samples)
        self._draws = preview.can_draw()
        self._drawn_at = -_PREVIEW_SECONDS
        self._validated: Validation | None = None
        self._validated_samples = -1
        self._speed = "the first samples are made"
        self._scores = ""

    @property
    def phrase(self) -> str:
        """For the progress line."""
        return self._speed + self._scores

    def report(self, counters: Counters, meter: Meter, rate: float) -> None:
        """Log what the meter measured; TrainingError where the loss is no number."""
        values = meter.report(counters.samples)
        self._log.write(counters.samples, counters.minutes, rate=rate, **values)
        self._speed = (
            f"{counters.samples} samples, loss {values['loss']:.3f}, "
            f"{values['samples_per_second']:.1f} samples/s"
        )

    def validate(self, counters: Counters, last: bool = False) -> None:
        """Score the validation objects, and draw some: now and then, and in the end."""
        if self._validated is None or counters.samples != self._validated_samples:
            self._score(counters)
        due = last or time.monotonic() - self._drawn_at >= _PREVIEW_SECONDS
        if self._draws and due and self._validated is not None:
            preview.write_preview(
                self._folder / preview.FILE,
                self._objects[0],
                self._validated.first,
                self._validated.last,
                f"{counters.samples} samples{self._scores}",
            )
            self._drawn_at = time.monotonic()

    def _score(self, counters: Counters) -> None:
        found = validate(self._learner, self._objects, self._device)
        self._validated, self._validated_samples = found, counters.samples
        scores = {f"dice_{step}": value for step, value in enumerate(found.dice)}
        self._log.write(counters.samples, counters.minutes, **scores)
        self._scores = f", Dice {found.dice[0]:.3f} to {found.dice[-1]:.3f}"
        logger.info(
            "%d samples: validation Dice %s",
            counters.samples,
            " ".join(f"{value:.3f}" for value in found.dice),
        )

    def close(self) -> None:
        """Close the log."""
        self._log.close()
