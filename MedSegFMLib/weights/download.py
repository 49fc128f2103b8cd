"""A download in the background, for a panel that must not wait for it."""

from __future__ import annotations

import threading
from pathlib import Path

from ..errors import Cancelled, MedSegFMError, WeightsError
from ..system.thread_time import GRANTED_SECONDS
from .fetch import fetch
from .receiving import ReceivingProcess

_STOPPED = "The download was stopped; it can be resumed."


class Download:
    """`fetch` in a thread, which only follows the process that receives; the caller polls it.

    Attributes:
        name: the name of the weights.
        fraction: the completed fraction, 0 to 1.
        phrase: the current activity, for the user.
        path: the downloaded weights; None until then and after a failure.
        error: the reason for a failure, otherwise None; Cancelled after `cancel`.
    """

    def __init__(self, name: str, accept_licence: bool = False) -> None:
        self.name = name
        self.fraction = 0.0
        self.phrase = ""
        self.path: Path | None = None
        self.error: MedSegFMError | None = None
        self._accept_licence = accept_licence
        self._stop = threading.Event()
        self._process = ReceivingProcess()
        self._thread = threading.Thread(target=self._run, name=f"fetch {name}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it ended, successfully or not; gives its thread a few milliseconds to run."""
        self._thread.join(GRANTED_SECONDS)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Stop at once; received data are kept."""
        self._stop.set()
        self._process.kill()

    def _run(self) -> None:
        # Remains if the download ends with an unexpected exception.
        error: MedSegFMError | None = WeightsError(
            f"The download of the weights of {self.name} ended unexpectedly; try again to resume "
            "it."
        )
        try:
            self.path = fetch(self.name, self._accept_licence, self._progress, self._process)
            error = None
        except MedSegFMError as caught:
            # After `cancel` a simultaneous failure does not matter.
            error = Cancelled(_STOPPED) if self._stop.is_set() else caught
        finally:
            self.error = error

    def _progress(self, fraction: float, phrase: str) -> None:
        self.fraction, self.phrase = fraction, phrase
        if self._stop.is_set():
            raise Cancelled(_STOPPED)
