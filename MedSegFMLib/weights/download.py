"""Installations of weights in the background, for a panel that must not wait for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import Cancelled, MedSegFMError, WeightsError
from ..progress import Progress
from ..system.thread_time import GRANTED_SECONDS
from .fetch import fetch
from .receiving import ReceivingProcess
from .trial import Trial, no_trial


class Installing:
    """The installation of weights in a separate thread; the caller polls its progress.

    Args:
        name: the name of the weights.
        install: called in the thread, with a function that takes the progress; returns the path.
        what: a word for the user, such as "import".

    Attributes:
        name: the name of the weights.
        fraction: the completed fraction, 0 to 1.
        phrase: the current activity, for the user.
        path: the installed weights; None until then and after a failure.
        error: the reason for a failure, otherwise None; Cancelled after `cancel`.
    """

    def __init__(self, name: str, install: Callable[[Progress], Path], what: str) -> None:
        self.name = name
        self.fraction = 0.0
        self.phrase = ""
        self.path: Path | None = None
        self.error: MedSegFMError | None = None
        self._install, self._what = install, what
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{what} {name}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it ended, successfully or not; gives its thread a few milliseconds to run."""
        self._thread.join(GRANTED_SECONDS)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Stop soon; what was downloaded is kept."""
        self._stop.set()

    def _run(self) -> None:
        # Remains if the work ends with an unexpected exception.
        error: MedSegFMError | None = WeightsError(
            f"The {self._what} of the weights of {self.name} ended unexpectedly; try again."
        )
        try:
            self.path = self._install(self._progress)
            error = None
        except MedSegFMError as caught:
            # After `cancel` a simultaneous failure does not matter.
            error = self._stopped() if self._stop.is_set() else caught
        finally:
            self.error = error

    def _progress(self, fraction: float, phrase: str) -> None:
        self.fraction, self.phrase = fraction, phrase
        if self._stop.is_set():
            raise self._stopped()

    def _stopped(self) -> Cancelled:
        return Cancelled(f"The {self._what} was stopped; it can be started again.")


class Download(Installing):
    """`fetch`; if it is stopped or fails, it can be resumed. A process of its own receives."""

    def __init__(self, name: str, accept_licence: bool = False, trial: Trial = no_trial) -> None:
        self._process = ReceivingProcess()

        def install(progress: Progress) -> Path:
            return fetch(name, accept_licence, progress, trial, self._process)

        super().__init__(name, install, "download")

    def cancel(self) -> None:
        """Stop at once; what was downloaded is kept."""
        super().cancel()
        self._process.kill()
