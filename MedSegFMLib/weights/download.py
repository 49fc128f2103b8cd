"""A download beside the caller: for a panel that must not wait."""

from __future__ import annotations

import threading
from pathlib import Path

from ..errors import Cancelled, MedSegFMError, WeightsError
from .fetch import fetch

_STOPPED = "The download was stopped; it can be continued."


class Download:
    """`fetch` in a thread of its own; the caller asks how far it is from time to time.

    fraction: 0 to 1; phrase: what it does, for the user.
    path: of the weights, once they are here; None until then and where they never came.
    error: why it ended without weights, None otherwise; Cancelled after `cancel`.
    """

    def __init__(self, name: str, accept_licence: bool = False) -> None:
        self.name = name
        self.fraction = 0.0
        self.phrase = ""
        self.path: Path | None = None
        self.error: MedSegFMError | None = None
        self._accept_licence = accept_licence
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fetch {name}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it ended, one way or the other."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Stop soon, at the latest when a silent server is given up; what came is kept."""
        self._stop.set()

    def _run(self) -> None:
        # Stands where what follows ends in a way that nobody foresaw.
        error: MedSegFMError | None = WeightsError(
            f"The download of the weights of {self.name} ended without a word; try again, it goes "
            "on where it stopped."
        )
        try:
            self.path = fetch(self.name, self._accept_licence, self._progress)
            error = None
        except MedSegFMError as caught:
            # Whoever stopped it does not care that the line broke as well.
            error = Cancelled(_STOPPED) if self._stop.is_set() else caught
        finally:
            self.error = error

    def _progress(self, fraction: float, phrase: str) -> None:
        self.fraction, self.phrase = fraction, phrase
        if self._stop.is_set():
            raise Cancelled(_STOPPED)
