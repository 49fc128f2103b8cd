"""One call of training: steps until the budget is used up, with checkpoints and reports."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import Cancelled, TrainingError
from ..progress import Progress
from . import state
from .batch_tensors import save_batch
from .distributed import Processes
from .run_log import RunLog
from .step import LossError, step
from .stopping import Stop
from .task import Task
from .throughput import ThroughputMeter

FAILED_BATCH = "failed-batch.safetensors"

_REPORT_SECONDS = 10.0


class Loop:
    """The training loop of one call.

    Args:
        recipe: the name of the recipe.
        settings: the recipe's settings, with out, accumulate, validate_samples and save_minutes.
        task: what is trained.
        processes: the processes of the run.
        progress: reports progress; may raise Cancelled.
        stop: the request to stop, set by signals.
        started: the start of the call, in seconds of `time.perf_counter`.
    """

    def __init__(
        self,
        recipe: str,
        settings: Any,
        task: Task,
        processes: Processes,
        progress: Progress,
        stop: Stop,
        started: float,
    ) -> None:
        self._recipe = recipe
        self._settings = settings
        self._task = task
        self._processes = processes
        self._progress = progress
        self._stop = stop
        self._started = started
        self._counters = state.resume(settings.out, recipe, settings, task)
        self._begun = replace(self._counters)
        self._log = RunLog(settings.out, task, self._counters) if processes.is_main else None
        # Whether checkpoints may still be written.
        self._keeps = True

    @property
    def samples(self) -> int:
        """The samples seen in all calls."""
        return self._counters.samples

    @property
    def scores(self) -> Mapping[str, float]:
        """The scores of the last validation by name; empty except in the main process."""
        return {} if self._log is None else self._log.scores

    @property
    def _rate(self) -> float:
        """The highest learning rate of the last step."""
        groups = [group for o in self._task.optimisers for group in o.param_groups]
        return max(float(group["lr"]) for group in groups)

    @property
    def _minutes(self) -> float:
        """The minutes since the start of this call."""
        return (time.perf_counter() - self._started) / 60

    def go(self, result: Path) -> None:
        """Train until the budget is used up, and write the result."""
        try:
            self._task.prepare(self._interruptible(self._progress), brief=False)
            if not self._counters.steps:
                # A run that is stopped before its first step need not prepare again.
                self._save()
            first = self._counters.batches + self._processes.index
            batches = self._task.batches(first, self._processes.count)
            # Closing the generator ends the processes that make batches.
            with closing(batches):
                self._train(batches)
            if self._keeps:
                self._save()
            if self._log is not None:
                self._log.validate(self._counters, self._scoring(1.0), last=True)
                self._task.write(result)
            self._processes.wait()
        except Cancelled as cancelled:
            raise self._stop.reason or cancelled from None
        finally:
            if self._log is not None:
                self._log.close()

    def _train(self, batches: Iterator[Any]) -> None:
        settings, counters, task = self._settings, self._counters, self._task
        meter = ThroughputMeter(counters.samples)
        next_save = settings.save_minutes
        next_validation = counters.samples // settings.validate_samples + 1
        while (used := self._used()) < 1:
            factor = task.schedule.factor(counters, used)
            if self._keeps and not task.schedule.keeps(used):
                self._save()
                self._keeps = False
            try:
                done = step(
                    task, batches, self._processes, settings.accumulate, counters.batches, factor
                )
            except LossError as error:
                raise self._given_up(error) from error
            meter.add(done.values, done.waited_seconds)
            together = settings.accumulate * self._processes.count
            counters.batches += together
            counters.samples += together * task.samples
            counters.steps += 1
            counters.minutes = self._begun.minutes + self._minutes
            if self._log is None:
                continue
            if meter.seconds >= _REPORT_SECONDS:
                self._log.report(counters, meter, self._rate)
            self._report_progress(used)
            if counters.samples >= next_validation * settings.validate_samples:
                # A stop takes effect before the next step, which saves the state.
                with suppress(Cancelled):
                    self._log.validate(counters, self._scoring(used))
                next_validation = counters.samples // settings.validate_samples + 1
            if self._minutes >= next_save and self._keeps:
                self._save()
                next_save = self._minutes + settings.save_minutes
        if self._log is not None and not meter.empty:
            self._log.report(counters, meter, self._rate)

    def _given_up(self, error: LossError) -> TrainingError:
        """Save the bad batch and return the error for the user.

        The checkpoint stays as it was: the cause may already be in the weights.
        """
        kept = self._settings.out / FAILED_BATCH
        save_batch(error.batch, kept)
        return TrainingError(
            f"{error} after {self._counters.samples} samples; examine its batch in {kept}, or run "
            "again to continue from the last checkpoint with a lower rate=."
        )

    def _used(self) -> float:
        """The used part of the budget; a stopped call saves and ends here."""
        used, stopped = self._processes.agreed(
            self._task.schedule.used(self._counters, self._begun), self._stop.reason is not None
        )
        if stopped:
            if self._keeps:
                self._save()
            raise self._stop.reason or KeyboardInterrupt()
        return used

    def _report_progress(self, used: float) -> None:
        assert self._log is not None
        try:
            self._progress(used, self._log.phrase)
        except Cancelled as cancelled:
            # The other processes are stopped before the next step.
            self._stop.reason = cancelled

    def _interruptible(self, progress: Progress) -> Progress:
        """Progress outside training steps, which also ends if a signal requested it."""

        def report(fraction: float, phrase: str) -> None:
            try:
                progress(fraction, phrase)
            except Cancelled as cancelled:
                self._stop.reason = cancelled
            if self._stop.reason is not None:
                raise Cancelled("The training was stopped.") from self._stop.reason

        return report

    def _scoring(self, used: float) -> Progress:
        return self._interruptible(
            lambda part, phrase: self._progress(used, f"{phrase}, {part:.0%}")
        )

    def _save(self) -> None:
        if self._processes.is_main:
            settings = self._settings
            state.save(settings.out, self._recipe, settings, self._task, self._counters)
