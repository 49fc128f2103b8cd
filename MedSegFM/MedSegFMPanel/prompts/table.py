"""The list of prompts in order, with a row to select, delete or move each."""

import qt
from slicer.i18n import tr as _

from MedSegFMLib.mrml.words.prompt_titles import place, title

from ..table_height import ROW_PIXELS, fit_height

_MOST_ROWS = 5


class PromptTable:
    """Shows a PromptList.

    Args:
        table: The table widget.
        selected: Called with the index of the prompt that the user selects, or None.
    """

    def __init__(self, table, selected):
        self._table = table
        self._selected = selected
        self._shown = None
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Prompt"), _("Segment"), _("Position R, A, S (mm)")])
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setStretchLastSection(True)
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        table.connect("itemSelectionChanged()", lambda: selected(self.index()))

    def index(self):
        """The index of the selected prompt; None if none is."""
        row = self._table.currentRow()
        return row if self._table.selectedItems() and row >= 0 else None

    def show(self, prompts):
        """Fill the table if the list has changed; the newest row is visible."""
        if prompts == self._shown:
            return
        self._shown = prompts
        blocked = self._table.blockSignals(True)
        self._table.clearSelection()
        self._table.setRowCount(len(prompts.entries))
        for row, (label, prompt) in enumerate(prompts.entries):
            texts = (title(prompt), prompts.name(label), place(prompt))
            for column, text in enumerate(texts):
                self._table.setItem(row, column, qt.QTableWidgetItem(text))
            self._table.setRowHeight(row, ROW_PIXELS)
        fit_height(self._table, _MOST_ROWS)
        self._table.scrollToBottom()
        self._table.blockSignals(blocked)
        self._selected(None)
