"""Messages of the status section for the updates of the scene logic."""

from __future__ import annotations

from typing import Protocol

from ...worker.events import Failed, Progressed, Restarted, Started
from ..logic import SegmentationLogic
from ..updates import (
    ConsistencyProgressed,
    ConsistencyReady,
    ConsistencyStarted,
    PromptsChanged,
    Update,
    VolumeGone,
    Warned,
    Written,
)
from . import messages, outcomes
from .translation import tr as _


class Status(Protocol):
    """A status line with progress and a log."""

    def inform(self, sentence: str) -> None:
        """Show a message, and add it to the log."""

    def warn(self, sentence: str, keep: bool = False) -> None:
        """Show a warning, and add it to the log; keep it after the next answer if requested."""

    def done(self, outcome: str) -> None:
        """Show that an answer was written; a warning stays."""

    def clear(self) -> None:
        """Clear the messages."""

    def log(self, sentence: str) -> None:
        """Add a message to the log only."""

    def progress(self, fraction: float, phrase: str) -> None:
        """Show how far the work is, 0 to 1, and a phrase."""

    def measuring(self, fraction: float) -> None:
        """Show how far the comparison of the planes is, 0 to 1."""

    def changed(self, text: str) -> None:
        """Show what the last prompt changed."""


def show_update(update: Update, status: Status, logic: SegmentationLogic) -> None:
    """Show an update of `logic.pump()`; some have no message.

    Args:
        update: The update.
        status: Shows and logs messages.
        logic: The scene logic.
    """
    if isinstance(update, PromptsChanged | ConsistencyReady):
        return
    if isinstance(update, Progressed):
        status.progress(update.fraction, update.phrase)
    elif isinstance(update, ConsistencyStarted | ConsistencyProgressed):
        status.measuring(getattr(update, "fraction", 0.0))
    elif isinstance(update, Warned):
        status.warn(update.sentence)
    elif isinstance(update, VolumeGone):
        status.clear()
        status.inform(_("The volume left the scene; choose another."))
    elif isinstance(update, Written):
        _show_written(update, status, logic)
    elif isinstance(update, Started):
        status.log(_sentence(update))
    elif isinstance(update, Restarted) and not update.after_cancel:
        status.warn(_sentence(update), keep=True)
    else:
        _show_event(update, status)


def _show_written(update: Written, status: Status, logic: SegmentationLogic) -> None:
    status.changed(messages.change_text(update, logic.prompts))
    label = logic.current_label
    if logic.objects.is_locked(label):
        status.inform(messages.locked_sentence(logic.prompts.name(label)))
    else:
        status.done(outcomes.sentence(update, logic))


def _show_event(event: Update, status: Status) -> None:
    message = messages.event_sentence(event)
    if message is not None:
        sentence, is_warning = message
        (status.warn if is_warning else status.inform)(sentence)
    if isinstance(event, Failed) and event.last_words:
        status.log(event.last_words)


def _sentence(event: Started | Restarted) -> str:
    message = messages.event_sentence(event)
    return "" if message is None else message[0]
