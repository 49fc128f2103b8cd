"""The section "Save and measure": the segments as files, and their measurements as a table."""

from slicer.i18n import tr as _

from MedSegFMLib.errors import OutputError
from MedSegFMLib.mrml.results.saving import Saving

from . import measuring


class ResultsSection:
    """Saves the segments of the objects, and has Slicer's Segment Statistics measure them.

    Args:
        panel: The `Panel`.
    """

    def __init__(self, panel):
        self._panel, self._ui = panel, panel.ui
        self._saving = Saving(panel.logic)
        self._formats = []
        for button, action in (
            (self._ui.exportButton, self._save),
            (self._ui.measureButton, self._measure),
            (self._ui.saveCancelButton, self._saving.cancel),
        ):
            button.connect("clicked(bool)", lambda _on, action=action: panel.attempt(action))
        self._ui.saveProgressRow.visible = False

    def pump(self):
        """Follow a file that is being written; the panel's timer calls it."""
        if not self._saving.is_busy:
            return
        end = self._saving.poll()
        self._ui.saveProgress.setValue(round(100 * self._saving.fraction))
        if end is not None:
            self._show_end(end)
            self._panel.refresh()

    def show(self):
        """Bring the widgets to the present state."""
        ui, logic = self._ui, self._panel.logic
        self._list(self._saving.offered())
        is_there = any(map(logic.segments.is_there, logic.prompts.labels))
        ui.exportButton.enabled = is_there and not self._saving.is_busy
        ui.measureButton.enabled = (
            logic.volume is not None and logic.segments.node is not None and measuring.is_there()
        )
        ui.saveProgressRow.visible = self._saving.is_busy

    def close(self):
        """Stop writing: the module is unloaded."""
        self._saving.close()

    def _list(self, formats):
        """Fill the list of formats, if others are offered; the user's choice stays."""
        if formats == self._formats:
            return
        chosen = self._ui.resultFormat.currentData
        self._formats = formats
        self._ui.resultFormat.clear()
        for item in formats:
            self._ui.resultFormat.addItem(_(item.title), item.key)
        self._ui.resultFormat.currentIndex = max(0, self._ui.resultFormat.findData(chosen))

    def _save(self):
        item = self._formats[max(0, self._ui.resultFormat.currentIndex)]
        patterns = " ".join(f"*{ending}" for ending in item.endings)
        name = self._panel.dialogs.save_file(
            _("Save the segments"),
            f"segments{item.endings[0]}",
            f"{_(item.title)} ({patterns})",
        )
        if not name:
            return
        end = self._saving.start(item, name)
        if end is None:
            self._panel.status.inform(_("Saving {path}…").format(path=item.path(name)))
            self._ui.saveProgress.setValue(0)
        else:
            self._show_end(end)

    def _show_end(self, end):
        status = self._panel.status
        if end.stopped:
            status.inform(_("Saving was stopped; no file was written."))
        elif end.error:
            status.warn(end.error)
        else:
            status.inform(_("The segments were saved to {path}.").format(path=end.path))

    def _measure(self):
        logic = self._panel.logic
        if logic.segments.node is None:
            raise OutputError(_("There is no segment to measure yet; place a box or click first."))
        measuring.measure(logic.segments.node, logic.volume_node)
        self._panel.status.inform(
            _("The measurements are in a table; save it with the data of the scene, or copy it.")
        )
