"""The section with progress, the status line and the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic, strftime

from ...mrml.words.progress_phrases import translated
from ...mrml.words.translation import tr as _
from .section import Action, State

_LOG_LINES = 200


class StatusSection:
    """Shows and logs messages: a `mrml.words.update_messages.Status`.

    Args:
        cancel: Stops what is being done.
    """

    name = "status"

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._sentence = self._notice = self._changed = self._bar = ""
        self._is_error = False
        self._fraction = 0.0
        self._began: float | None = None
        self._log: deque[str] = deque(maxlen=_LOG_LINES)

    def inform(self, sentence: str) -> None:
        """Show a message, and add it to the log."""
        self._is_error, self._notice = False, ""
        self._sentence = sentence
        self.log(sentence)

    def warn(self, sentence: str, keep: bool = False) -> None:
        """Show a warning, and add it to the log; keep it after the next answer if requested."""
        self._is_error = True
        self._notice = sentence if keep else ""
        self._sentence = sentence
        self.log(sentence)

    def done(self, outcome: str) -> None:
        """Show that an answer was written; a warning stays visible."""
        if not self._is_error:
            self._sentence = " ".join(filter(None, (_("Done."), outcome, self._notice)))
        self._notice = ""

    def clear(self) -> None:
        """Clear the messages: another volume was chosen."""
        self._is_error = False
        self._sentence = self._notice = self._changed = ""

    def log(self, sentence: str) -> None:
        """Add a message to the log only."""
        if sentence:
            self._log.append(f"{strftime('%H:%M:%S')}  {sentence}")

    def progress(self, fraction: float, phrase: str) -> None:
        """Show how far the work is, 0 to 1, and a phrase."""
        self._begin()
        self._fraction, self._bar = fraction, ""
        self._is_error = False
        self._sentence = translated(phrase)

    def measuring(self, fraction: float) -> None:
        """Show how far the comparison of the planes is, 0 to 1; the message stays."""
        self._begin()
        self._fraction, self._bar = fraction, _("Comparing the planes…")

    def changed(self, text: str) -> None:
        """Show what the last prompt changed."""
        self._changed = text

    def busy(self, is_busy: bool, phrase: str = "") -> None:
        """Show or hide progress and Cancel; elapsed time counts from the first busy moment."""
        if not is_busy:
            self._began = None
        elif self._began is None:
            self._begin()
            self._fraction, self._bar = 0.0, ""
            if phrase:
                self._is_error, self._sentence = False, phrase

    def state(self) -> State:
        """See `Section`."""
        seconds = None if self._began is None else int(monotonic() - self._began)
        return {
            "sentence": self._sentence,
            "isError": self._is_error,
            "changed": self._changed,
            "isBusy": self._began is not None,
            "percent": round(100 * self._fraction),
            "bar": self._bar,
            "seconds": seconds,
            "log": list(self._log)[-20:],
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {"cancel": lambda _message: self._cancel()}

    def _begin(self) -> None:
        if self._began is None:
            self._began = monotonic()
