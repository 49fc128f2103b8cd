"""The table of a review: a row for each object, the worst case first."""

import qt
from slicer.i18n import tr as _

from MedSegFMLib.mrml.review.table import COLUMNS

from ..table_height import ROW_PIXELS, fit_height

_MOST_ROWS = 8


class ReviewTable:
    """Shows the rows of a queue.

    Args:
        table: The table widget.
        chosen: Called with case and label if the user clicks on another row.
    """

    def __init__(self, table, chosen):
        self._table, self._chosen = table, chosen
        self._rows, self._selected = [], None
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels([_(title) for title in COLUMNS])
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setStretchLastSection(True)
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        table.connect("itemSelectionChanged()", self._on_selected)

    def show(self, rows, selected):
        """Fill in the rows, if they differ from those shown, and select the open object.

        Args:
            rows: `TableRow`s.
            selected: Case and label of the object that is looked at; None for none.
        """
        if rows == self._rows and selected == self._selected:
            return
        table = self._table
        blocked = table.blockSignals(True)
        if rows != self._rows:
            self._fill(rows)
        self._rows, self._selected = rows, selected
        table.clearSelection()
        for n, row in enumerate(rows):
            if (row.case, row.label) == selected:
                table.selectRow(n)
                table.scrollToItem(table.item(n, 0))
        table.blockSignals(blocked)

    def _fill(self, rows):
        table = self._table
        table.setRowCount(len(rows))
        faded = table.palette.color(qt.QPalette.Disabled, qt.QPalette.Text)
        for n, row in enumerate(rows):
            for column, text in enumerate(row.texts):
                item = qt.QTableWidgetItem(_(text) if column == len(row.texts) - 1 else text)
                item.setToolTip(row.notes or text)
                if row.is_done:
                    item.setForeground(qt.QBrush(faded))
                table.setItem(n, column, item)
            table.setRowHeight(n, ROW_PIXELS)
        fit_height(table, _MOST_ROWS)
        for column in range(len(COLUMNS) - 1):
            table.resizeColumnToContents(column)

    def _on_selected(self):
        number = self._table.currentRow()
        if not self._table.selectedItems() or not 0 <= number < len(self._rows):
            return
        row = self._rows[number]
        if (row.case, row.label) != self._selected:
            self._chosen(row.case, row.label)
