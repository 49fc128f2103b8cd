"""Review results: a batch of `medsegfm segment`, the worst case first."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib.batch.review.records import Decision
from MedSegFMLib.mrml.review.review import Review
from MedSegFMLib.mrml.review.table import ACCEPT, HINT, SAVE, progress_text, table_rows
from MedSegFMLib.mrml.review.words import decided_sentence, skipped_sentence

from ..sample_data import show_volume
from .table import ReviewTable

# The user's own settings: the paths of volumes belong into no scene and no folder of results.
_RESULTS_KEY, _VOLUMES_KEY = "MedSegFM/reviewResults", "MedSegFM/reviewVolumes"


class ReviewSection:
    """Opens a batch and its cases, and writes what the user decides.

    Args:
        panel: The `Panel`.

    Attributes:
        review: The review in the scene.
    """

    def __init__(self, panel):
        self._panel, self._ui = panel, panel.ui
        ui = panel.ui
        self.review = Review(panel.logic, slicer.mrmlScene, show_volume)
        self._table = ReviewTable(ui.reviewTable, self._go_to)
        self._results = qt.QSettings().value(_RESULTS_KEY) or ""
        self._volumes = qt.QSettings().value(_VOLUMES_KEY) or ""
        for button, action in (
            (ui.reviewResultsButton, self._choose_results),
            (ui.reviewVolumesButton, self._choose_volumes),
            (ui.reviewListButton, self._choose_list),
            (ui.reviewOpenButton, self._open),
            (ui.reviewSliceButton, self._next_slice),
            (ui.reviewAcceptButton, self._accept),
            (ui.reviewSkipButton, self._skip),
        ):
            button.connect("clicked(bool)", lambda _on, action=action: panel.attempt(action))
        for key, button in self.keys():
            button.toolTip = f"{button.toolTip} ({key})"

    def keys(self):
        """The shortcut of each button that is used often, and the button."""
        ui = self._ui
        return [
            ("Shift+O", ui.reviewAcceptButton),
            ("Shift+K", ui.reviewSkipButton),
            ("Shift+J", ui.reviewSliceButton),
        ]

    def show(self):
        """Bring the widgets to the present state."""
        ui, queue, opened = self._ui, self.review.queue, self.review.open_case
        ui.reviewResultsButton.text = Path(self._results).name or _("Results…")
        ui.reviewVolumesButton.text = Path(self._volumes).name or _("Volumes…")
        for button, path in (
            (ui.reviewResultsButton, self._results),
            (ui.reviewVolumesButton, self._volumes),
        ):
            if path:
                button.toolTip = path
        ui.reviewOpenButton.enabled = bool(self._results and self._volumes)
        is_open = queue is not None
        for widget in (ui.reviewTable, ui.reviewProgressRow, ui.reviewButtons):
            widget.visible = is_open
        if not is_open:
            ui.reviewHint.text = _(
                "Choose the folder that medsegfm segment wrote for many volumes, and the folder or "
                "list of the volumes."
            )
            return
        ui.reviewHint.text = _(HINT)
        progress = queue.progress
        ui.reviewProgress.setRange(0, progress.cases)
        ui.reviewProgress.setValue(progress.done)
        ui.reviewProgressLabel.text = progress_text(progress)
        selected = None if opened is None else (opened.case.name, self.review.label)
        self._table.show(table_rows(queue), selected)
        for button in (ui.reviewAcceptButton, ui.reviewSkipButton, ui.reviewSliceButton):
            button.enabled = opened is not None
        # What was painted by hand counts too, but is not looked for with each refresh.
        has_edits = opened is not None and self._panel.logic.can_undo
        ui.reviewAcceptButton.text = _(SAVE) if has_edits else _(ACCEPT)

    def leave_scene(self):
        """Let go of the nodes of a scene that closes."""
        self.review.forget()

    def _choose_results(self):
        self._choose(_RESULTS_KEY, self._panel.dialogs.open_folder(_("Folder of the results")))

    def _choose_volumes(self):
        self._choose(_VOLUMES_KEY, self._panel.dialogs.open_folder(_("Folder of the volumes")))

    def _choose_list(self):
        self._choose(_VOLUMES_KEY, self._panel.dialogs.open_file(_("List of the volumes (CSV)")))

    def _choose(self, key, path):
        if not path:
            return
        qt.QSettings().setValue(key, path)
        if key == _RESULTS_KEY:
            self._results = path
        else:
            self._volumes = path

    def _open(self):
        self.review.open(Path(self._results), Path(self._volumes))
        self._next_case()

    def _go_to(self, case, label):
        self._panel.attempt(lambda: self._follow(self.review.go_to(case, label)))

    def _next_slice(self):
        self.review.next_slice()

    def _accept(self):
        name, decision = self.review.open_case.case.name, self.review.accept()
        self._next_case()
        is_corrected = decision is Decision.CORRECTED
        self._panel.status.inform(decided_sentence(name, is_corrected, self.review.queue))

    def _skip(self):
        name = self.review.open_case.case.name
        self.review.skip()
        self._next_case()
        self._panel.status.inform(skipped_sentence(name))

    def _next_case(self):
        self._follow(self.review.next_case())

    def _follow(self, sentence):
        """Bring the panel to the case that was opened, or to none."""
        panel, opened = self._panel, self.review.open_case
        panel.place_mode.stop()
        panel.model.follow()
        if opened is not None:
            panel.models.look_again()
            panel.model.warm_up()
        if sentence:
            panel.status.warn(sentence)
