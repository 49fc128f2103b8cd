"""Messages of the status section for the updates of the scene logic."""

from slicer.i18n import tr as _

from MedSegFMLib.mrml.updates import (
    ConsistencyProgressed,
    ConsistencyReady,
    ConsistencyStarted,
    PromptsChanged,
    VolumeGone,
    Warned,
    Written,
)
from MedSegFMLib.worker.events import Failed, Progressed, Restarted, Started

from . import messages, outcomes


def show_update(update, status, logic):
    """Show an update of `logic.pump()`; some have no message.

    Args:
        update: The update.
        status: The status section.
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
        status.log(messages.event_sentence(update)[0])
    elif isinstance(update, Restarted) and not update.after_cancel:
        status.warn(messages.event_sentence(update)[0], keep=True)
    else:
        _show_event(update, status)


def _show_written(update, status, logic):
    status.changed(messages.change_text(update, logic.prompts))
    label = logic.current_label
    if logic.is_locked(label):
        status.inform(messages.locked_sentence(logic.prompts.name(label)))
    else:
        status.done(outcomes.sentence(update, logic))


def _show_event(event, status):
    message = messages.event_sentence(event)
    if message is not None:
        sentence, is_warning = message
        (status.warn if is_warning else status.inform)(sentence)
    if isinstance(event, Failed) and event.last_words:
        status.log(event.last_words)
