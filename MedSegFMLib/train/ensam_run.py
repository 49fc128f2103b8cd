"""One call of training ENSAM: steps until the budget is spent, and what is written meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch

from ..errors import Cancelled, DeviceError
from ..models import ensam_weights
from ..progress import Progress
from . import ensam_state
from .batches import Batches, on_device, training_batches, validation_batches
from .ensam_settings import EnsamSettings
from .learner import Learner
from .meter import Meter
from .outputs import Outputs, prepare_folder
from .processes import Processes
from .samples import Batch
from .schedule import Budget, rate_factor
from .stopping import Stop, stop_on_signals

_REPORT_SECONDS = 10.0


def run(settings: EnsamSettings, weights: Path, progress: Progress) -> None:
    """What `ensam.train` promises; the weights are written to `weights`."""
    prepare_folder(settings.out)
    try:
        with stop_on_signals() as stop:
            _Run(settings, progress, stop).go(weights)
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise DeviceError(
            "The GPU has no memory left for this training; give a smaller batch= (with "
            "accumulate=), graded= or cells=."
        ) from error


class _Run:
    """The state of a call."""

    def __init__(self, settings: EnsamSettings, progress: Progress, stop: Stop) -> None:
        self._started = time.perf_counter()
        self._settings = settings
        self._progress = progress
        self._stop = stop
        # Without drawn prompts the features of the step before are not used in the first answer.
        self._processes = Processes(settings.device, unused_parameters=not settings.dense_prompts)
        # After accelerate, which sets it for several processes.
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self._learner = Learner(settings, self._processes)
        self._counters = ensam_state.resume(settings, self._learner)
        self._minutes_before = self._counters.minutes
        self._samples_before = self._counters.samples
        self._budget = Budget(settings.minutes, settings.samples)
        self._batches = Batches(settings, self._processes.device)
        self._outputs = self._make_outputs() if self._processes.is_main else None
        # Whether the rate is not falling yet, so that the checkpoint may be written.
        self._level = True

    @property
    def _minutes(self) -> float:
        """Of this call."""
        return (time.perf_counter() - self._started) / 60

    def go(self, weights: Path) -> None:
        """Train until the budget is spent."""
        try:
            self._train()
            if self._level:
                self._save()
            if self._outputs is not None:
                self._outputs.validate(self._counters, last=True)
                ensam_weights.save(self._learner.network, weights)
            self._processes.wait()
        finally:
            if self._outputs is not None:
                self._outputs.close()

    def _train(self) -> None:
        first = self._counters.batches + self._processes.index
        batches = training_batches(self._batches, first, self._processes.count)
        # Its workers end with it, and with nothing else.
        with closing(batches):
            self._learn(batches)

    def _learn(self, batches: Iterator[Batch]) -> None:
        settings, counters = self._settings, self._counters
        meter = Meter(counters.samples)
        rate = 0.0
        next_save = settings.save_minutes
        next_validation = counters.samples // settings.validate_samples + 1
        while (used := self._used(meter)) < 1:
            factor = rate_factor(counters.steps, settings.warmup, used, settings.cooldown)
            if self._level and settings.cooldown and used > 1 - settings.cooldown:
                meter.check()
                self._save()
                self._level = False
            asked = time.perf_counter()
            step = [
                on_device(next(batches), self._processes.device) for _ in range(settings.accumulate)
            ]
            waited_seconds = time.perf_counter() - asked
            rate = factor * settings.rate
            meter.add(self._learner.learn(step, counters.batches, rate), waited_seconds)
            counters.batches += settings.accumulate * self._processes.count
            counters.samples += settings.accumulate * self._processes.count * settings.batch
            counters.steps += 1
            counters.minutes = self._minutes_before + self._minutes
            if self._outputs is None:
                continue
            if meter.seconds >= _REPORT_SECONDS:
                self._outputs.report(counters, meter, rate)
            self._tell(used)
            if counters.samples >= next_validation * settings.validate_samples:
                self._outputs.validate(counters)
                next_validation = counters.samples // settings.validate_samples + 1
            if self._minutes >= next_save:
                meter.check()
                self._save()
                next_save = self._minutes + settings.save_minutes
        if self._outputs is not None and not meter.empty:
            self._outputs.report(counters, meter, rate)

    def _used(self, meter: Meter) -> float:
        """The used part of the budget; a stopped call saves and ends here."""
        # The minutes as counted, not the clock: what the checkpoint says is what was spent.
        minutes = self._counters.minutes - self._minutes_before
        done = self._counters.samples - self._samples_before
        used, stopped = self._processes.agreed(
            self._budget.used(minutes, done), self._stop.reason is not None
        )
        if stopped:
            meter.check()
            if self._level:
                self._save()
            raise self._stop.reason or KeyboardInterrupt()
        return used

    def _tell(self, used: float) -> None:
        assert self._outputs is not None
        try:
            self._progress(used, self._outputs.phrase)
        except Cancelled as cancelled:
            # The other processes hear of it before the next step.
            self._stop.reason = cancelled

    def _save(self) -> None:
        if self._processes.is_main:
            ensam_state.save(self._settings, self._learner, self._counters)

    def _make_outputs(self) -> Outputs:
        objects = validation_batches(self._batches)
        return Outputs(
            self._settings.out, self._learner, objects, self._processes.device, self._counters
        )
