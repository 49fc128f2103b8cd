"""The table of a comparison in the panel: a row for each model, to sort, hide and select."""

import qt
from slicer.i18n import tr as _

from ..table_height import fit_height

_MOST_ROWS = 6
# The panel is 400 pixels wide or less: names take two lines, and times come first. Columns are as
# wide as their texts in the user's font.
_FIRST = ("model", "seconds")
_LINES = 2
_MARGIN_PIXELS = 10
# A tick, a colour, and the space around them.
_DECORATION_PIXELS = 54


class CompareTable:
    """The table of one object.

    Args:
        table: the table widget.
        selected: called without arguments if another row is selected.
        shown: called with a model and whether it is visible, if the user ticks or unticks it.
    """

    def __init__(self, table, selected, shown):
        self._table, self._on_shown = table, shown
        self._filled = None
        table.verticalHeader().setVisible(False)
        table.setWordWrap(True)
        table.horizontalHeader().setHighlightSections(False)
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        # In the order of the models until the user clicks on a heading.
        table.horizontalHeader().setSortIndicator(-1, qt.Qt.AscendingOrder)
        table.connect("itemSelectionChanged()", selected)
        table.connect("cellChanged(int,int)", self._on_changed)

    def model(self):
        """The model of the selected row; None if no row is selected."""
        row = self._table.currentRow()
        if not self._table.selectedItems() or row < 0:
            return None
        return self._table.item(row, 0).data(qt.Qt.UserRole)

    def show(self, table, models, colors, hidden):
        """Fill in a `ModelTable` of one object, if it differs from the one shown."""
        state = (table, tuple(models), frozenset(hidden))
        if state == self._filled:
            return
        columns = _places(table.columns)
        if self._filled is None or self._filled[0].columns != table.columns:
            self._set_columns([table.columns[n] for n in columns])
        self._filled, selected, widget = state, self.model(), self._table
        blocked = widget.blockSignals(True)
        # Rows must not move while they are filled in.
        widget.setSortingEnabled(False)
        widget.setRowCount(len(table.rows))
        for row, (model, color, values) in enumerate(zip(models, colors, table.rows, strict=True)):
            for place, n in enumerate(columns):
                item = _item(values[n])
                widget.setItem(row, place, item)
            first = widget.item(row, 0)
            first.setData(qt.Qt.UserRole, model)
            first.setData(qt.Qt.DecorationRole, qt.QColor.fromRgbF(*color))
            first.setFlags(first.flags() | qt.Qt.ItemIsUserCheckable)
            first.setCheckState(qt.Qt.Unchecked if model in hidden else qt.Qt.Checked)
            first.setToolTip(values[-1] or _("Untick to hide this model in the views"))
            widget.setRowHeight(row, self._row_pixels())
        for place, n in enumerate(columns):
            # Such as scores while no reference is chosen.
            widget.setColumnHidden(place, all(row[n] is None for row in table.rows))
            widget.setColumnWidth(place, self._column_pixels(place))
        widget.setSortingEnabled(True)
        widget.clearSelection()
        for row in range(widget.rowCount):
            if selected is not None and widget.item(row, 0).data(qt.Qt.UserRole) == selected:
                widget.selectRow(row)
        fit_height(widget, _MOST_ROWS, is_wide=True, row_pixels=self._row_pixels())
        widget.blockSignals(blocked)

    def _set_columns(self, columns):
        self._table.setColumnCount(len(columns))
        for n, column in enumerate(columns):
            # The panel is narrow; the tool tip has the whole heading.
            item = qt.QTableWidgetItem(_(column.short))
            explanation = "\n" + _(column.description) if column.description else ""
            item.setToolTip(column.heading + explanation)
            self._table.setHorizontalHeaderItem(n, item)

    def _column_pixels(self, place):
        """The width that a column needs; names of models are broken between words."""
        texts = [self._table.horizontalHeaderItem(place).text()]
        cells = [self._table.item(row, place).text() for row in range(self._table.rowCount)]
        if place > 0:
            return _MARGIN_PIXELS + self._text_pixels(texts + cells)
        lines = [line for cell in cells for line in _in_two_lines(cell)]
        return _MARGIN_PIXELS + _DECORATION_PIXELS + self._text_pixels(texts + lines)

    def _text_pixels(self, texts):
        metrics = self._table.fontMetrics()
        return max(metrics.horizontalAdvance(text) for text in texts)

    def _row_pixels(self):
        return _LINES * self._table.fontMetrics().height() + _MARGIN_PIXELS // 2

    def _on_changed(self, row, column):
        if column == 0:
            item = self._table.item(row, 0)
            self._on_shown(item.data(qt.Qt.UserRole), item.checkState() == qt.Qt.Checked)


def _places(columns):
    """The indices of the columns that the panel shows, in its order."""
    shown = [n for n, column in enumerate(columns) if column.short is not None]
    return sorted(shown, key=lambda n: columns[n].key not in _FIRST)


def _in_two_lines(name):
    """The parts of a name if it is broken where its longer part is shortest."""
    words = name.split()
    cuts = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(1, len(words) + 1)]
    return min(cuts, key=lambda parts: max(map(len, parts)), default=("",))


def _item(value):
    item = qt.QTableWidgetItem()
    # Numbers as numbers, so that they are sorted as such.
    item.setData(qt.Qt.DisplayRole, "" if value is None else value)
    if not isinstance(value, str):
        item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    return item
