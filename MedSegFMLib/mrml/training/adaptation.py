"""Adapting a model to the user's own segments: a folder of cases, then a training.

The training is a process of its own, so Slicer and the model in use go on meanwhile. Its cases are
in the folder, so it does not depend on the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from time import monotonic
from typing import Any

from ...errors import MedSegFMError, TrainingError
from ...worker.launchers import TrainingLauncher
from ...worker.training_process import Advanced, Finished, Program, TrainingProcess

RECIPE = "crossplane"
CASES, RESULT = "cases", "result"
# So long after it was asked to stop a training may save its state, before it is ended.
_PATIENCE_SECONDS = 60.0


class Phase(Enum):
    """The phase of an adaptation; a stopped or failed one can be resumed from what it saved."""

    IDLE = "idle"
    PREPARING = "preparing"
    TRAINING = "training"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Plan:
    """A training to run: the recipe's settings, in a folder of its own.

    Attributes:
        folder: Gets the cases and the result.
        held_back: The name of the case to measure on.
        base: The model to start from, whose own weights are not changed.
        steps: The length of the training.
        device: Where it runs.
    """

    folder: Path
    held_back: str
    base: str
    steps: int
    device: str = "auto"

    @property
    def settings(self) -> Mapping[str, object]:
        """As `medsegfm train` takes them."""
        return {
            "out": self.folder / RESULT,
            "cases": self.folder / CASES / "cases.json",
            "held_back": self.held_back,
            "base": self.base,
            "steps": self.steps,
            "device": self.device,
        }


class Adapting:
    """Runs one adaptation at a time. Call `poll` from a timer; nothing here waits.

    Args:
        make_program: Makes the program to start from a recipe's name and its settings.
        clock: Gives the time in seconds.

    Attributes:
        plan: The training that runs or ran; None if there is none.
        phase: Its phase.
        fraction: How far it is, 0 to 1.
        phrase: What it is doing.
        error: The sentence of a failed training; otherwise None.
        result: The weights of a finished one; otherwise None.
        report: Its scores before and after.
    """

    def __init__(
        self,
        make_program: Callable[[str, Mapping[str, object]], Program] = TrainingLauncher,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._make_program = make_program
        self._clock = clock
        self._process: TrainingProcess | None = None
        self._cases: Iterator[tuple[float, str]] | None = None
        self._asked_to_stop = 0.0
        self.plan: Plan | None = None
        self.phase = Phase.IDLE
        self._begin()

    @property
    def is_busy(self) -> bool:
        """Whether an adaptation is being prepared, trained or stopped."""
        return self.phase in (Phase.PREPARING, Phase.TRAINING, Phase.STOPPING)

    @property
    def can_resume(self) -> bool:
        """Whether a training was stopped or failed before its end."""
        return self.phase in (Phase.STOPPED, Phase.FAILED) and self.plan is not None

    @property
    def pid(self) -> int | None:
        """The number of the training's process; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def minutes_left(self) -> float | None:
        """An estimate of the minutes left; None before there is one."""
        if self.phase is not Phase.TRAINING or self._first is None:
            return None
        began, fraction = self._first
        if self.fraction <= fraction:
            return None
        passed = self._latest - began
        return passed / 60 * (1 - self.fraction) / (self.fraction - fraction)

    def start(self, plan: Plan, cases: Iterator[tuple[float, str]]) -> None:
        """Write the cases, a little with each `poll`, then train.

        Args:
            plan: The training.
            cases: Writes the cases to the plan's folder, as `training_set.write_cases` does.

        Raises:
            TrainingError: If another adaptation runs.
        """
        self._check_is_free()
        self._begin()
        self.plan, self._cases, self.phase = plan, cases, Phase.PREPARING

    def resume(self) -> None:
        """Resume a stopped training from what it saved.

        Raises:
            TrainingError: If there is none, or another adaptation runs.
        """
        self._check_is_free()
        if not self.can_resume:
            raise TrainingError("There is no stopped training to go on with; start one.")
        self._begin()
        self._train()

    def forget(self) -> None:
        """Let go of an adaptation that has ended; its folder stays."""
        self._check_is_free()
        self._begin()
        self.plan, self.phase = None, Phase.IDLE

    def cancel(self) -> None:
        """Stop: the training saves its state first. A second call ends it at once."""
        if self.phase is Phase.PREPARING:
            self._drop_cases()
            self.plan, self.phase = None, Phase.IDLE
        elif self.phase is Phase.TRAINING and self._process is not None:
            self._process.stop()
            self._asked_to_stop, self.phase = self._clock(), Phase.STOPPING
        elif self.phase is Phase.STOPPING and self._process is not None:
            self._process.kill()

    def poll(self) -> bool:
        """Take what came since the last call; returns whether anything has changed."""
        if self.phase is Phase.PREPARING:
            self._write_some()
            return True
        if self._process is None:
            return False
        told = self._process.poll()
        for event in told:
            self._take(event)
        late = self._clock() - self._asked_to_stop > _PATIENCE_SECONDS
        if self.phase is Phase.STOPPING and late and self._process is not None:
            self._process.kill()
        return bool(told)

    def close(self) -> None:
        """End everything at once: the program ends."""
        self._drop_cases()
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self.is_busy:
            self.phase = Phase.STOPPED

    def _begin(self) -> None:
        self.fraction, self.phrase = 0.0, ""
        self.error: str | None = None
        self.result: Path | None = None
        self.report: Any = None
        # When the first step was done, and how far the training was then: its start is slower.
        self._first: tuple[float, float] | None = None
        self._start_fraction: float | None = None
        self._latest = 0.0

    def _check_is_free(self) -> None:
        if self.is_busy:
            raise TrainingError("An adaptation goes on already; wait for it, or cancel it.")

    def _write_some(self) -> None:
        assert self._cases is not None, "they are being written"
        try:
            self.fraction, self.phrase = next(self._cases)
        except StopIteration:
            self._cases = None
            self.fraction, self.phrase = 0.0, "starting the training"
            self._train()
        except MedSegFMError as error:
            self._cases = self.plan = None
            self.phase, self.error = Phase.FAILED, str(error)

    def _train(self) -> None:
        assert self.plan is not None, "it was given at the start"
        self._process = TrainingProcess(self._make_program(RECIPE, self.plan.settings))
        self.phase = Phase.TRAINING

    def _take(self, event: Advanced | Finished) -> None:
        if isinstance(event, Advanced):
            begins_anew = event.fraction < self.fraction
            self.fraction, self.phrase = event.fraction, event.phrase
            self._latest = self._clock()
            if self._start_fraction is None or begins_anew:
                self._first, self._start_fraction = None, event.fraction
            elif self._first is None and event.fraction > self._start_fraction:
                self._first = (self._latest, event.fraction)
            return
        self._process = None
        self.error, self.result, self.report = event.error, event.result, event.report
        if event.error is not None:
            self.phase = Phase.FAILED
        else:
            self.phase = Phase.STOPPED if event.result is None else Phase.DONE

    def _drop_cases(self) -> None:
        cases, self._cases = self._cases, None
        # A generator: closing it takes away what was half written.
        close = getattr(cases, "close", None)
        if close is not None:
            close()
