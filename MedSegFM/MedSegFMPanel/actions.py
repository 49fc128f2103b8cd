"""Actions of the buttons of the panel, except those that draw prompts."""

import qt
from slicer.i18n import tr as _

from MedSegFMLib.prompts.types import Text

from . import sample_data
from .prompts.place_mode import PlacedKind

# The user's own setting: a scene of somebody else's must not send volumes anywhere.
_HOST_KEY = "MedSegFM/workerHost"


class Actions:
    """Connects buttons with the scene logic; an error becomes the panel's status line.

    Args:
        panel: The `Panel`.
    """

    def __init__(self, panel):
        self._panel = panel
        self._ui, self._logic = panel.ui, panel.logic
        for button, action in self._clicks():
            button.connect("clicked(bool)", lambda _on, action=action: panel.attempt(action))
        self._ui.workerHost.text = qt.QSettings().value(_HOST_KEY) or ""
        self._use_host()
        self._ui.workerHost.connect("editingFinished()", self._use_host)
        self._ui.textEdit.connect("returnPressed()", lambda: panel.attempt(self._add_text))

    def keys(self):
        """The shortcut of each button that is used often, and the button."""
        ui = self._ui
        return [
            ("Shift+N", ui.nextSegmentButton),
            ("Shift+Z", ui.undoButton),
            ("Shift+Y", ui.redoButton),
            ("Shift+C", ui.cancelButton),
        ]

    def _clicks(self):
        ui, logic = self._ui, self._logic
        return (
            (ui.loadButton, lambda: self._panel.dialogs.load_volume()),
            (ui.sampleButton, self._load_sample),
            (ui.recoverButton, self._recover),
            (ui.nextSegmentButton, logic.objects.add),
            (ui.textButton, self._add_text),
            (ui.classesButton, logic.segment_classes),
            (ui.undoButton, logic.undo),
            (ui.redoButton, logic.redo),
            (ui.resetButton, logic.reset),
            (ui.deletePromptButton, self._delete),
            (ui.movePromptButton, self._move),
            (ui.runButton, self._run),
            (ui.cancelButton, self._cancel),
            (ui.restartButton, self._restart),
        )

    def _recover(self):
        self._panel.recovery.recover(self._logic)
        self._panel.model.follow()

    def _load_sample(self):
        self._panel.parameters.volume = sample_data.make_phantom()

    def _add_text(self):
        self._logic.add(Text(self._ui.textEdit.text))
        self._ui.textEdit.clear()

    def _delete(self):
        index = self._panel.prompt_table.index()
        if index is not None:
            self._logic.delete(index)

    def _move(self):
        panel, index = self._panel, self._panel.prompt_table.index()
        if panel.place_mode.active is PlacedKind.TARGET or index is None:
            panel.place_mode.stop()
        else:
            panel.place_mode.pick(lambda place: panel.attempt(self._logic.move, index, place))

    def _run(self):
        self._logic.predict()
        self._logic.requests.release()

    def _cancel(self):
        self._panel.models.installing.cancel()
        self._logic.cancel()

    def _use_host(self):
        host = self._ui.workerHost.text.strip()
        qt.QSettings().setValue(_HOST_KEY, host)
        self._logic.requests.set_host(host)

    def _restart(self):
        self._panel.model.restart_worker()
        self._panel.status.inform(
            _("The model was restarted; your prompts and segments are unchanged.")
        )
