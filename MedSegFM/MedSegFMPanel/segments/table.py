"""The list of segments: colour, name, shown, locked; the selected row is the current one."""

import qt
from slicer.i18n import tr as _

from MedSegFMLib.mrml.segments.masking import is_locked, set_locked

from ..table_height import ROW_PIXELS, fit_height

_MOST_ROWS = 5
_COLOR, _NAME, _SHOWN, _LOCKED = range(4)


class SegmentTable:
    """Shows the segments of a segmentation node, and writes the user's edits to it.

    Args:
        table: The table widget.
        chosen: Called with the identifier of the segment that the user selects.
        renamed: Called with the identifier of a segment and its new name.
    """

    def __init__(self, table, chosen, renamed):
        self._table = table
        self._chosen, self._renamed = chosen, renamed
        self._node = None
        self._ids = []
        self._shown = None
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels(["", _("Name"), _("Show"), _("Lock")])
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setHighlightSections(False)
        header = table.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_NAME, qt.QHeaderView.Stretch)
        for column, width in ((_COLOR, 28), (_SHOWN, 46), (_LOCKED, 46)):
            table.setColumnWidth(column, width)
        table.connect("itemSelectionChanged()", self._on_selected)
        table.connect("cellChanged(int,int)", self._on_changed)
        table.connect("cellDoubleClicked(int,int)", self._on_double_click)

    def show(self, node, ids, current):
        """Fill the table with some segments of a node, if something has changed."""
        state = (node.GetID() if node else None, current, [_state(node, i) for i in ids])
        if state == self._shown:
            return
        self._shown, self._node, self._ids = state, node, list(ids)
        blocked = self._table.blockSignals(True)
        self._table.setRowCount(len(ids))
        for row, (name, color, shown, locked) in enumerate(state[2]):
            swatch = qt.QTableWidgetItem()
            swatch.setBackground(qt.QBrush(qt.QColor.fromRgbF(*color)))
            swatch.setFlags(qt.Qt.ItemIsEnabled)
            swatch.setToolTip(_("Double-click to choose another colour"))
            self._table.setItem(row, _COLOR, swatch)
            self._table.setItem(row, _NAME, qt.QTableWidgetItem(name))
            self._table.setItem(row, _SHOWN, _check(shown))
            self._table.setItem(row, _LOCKED, _check(locked))
            self._table.setRowHeight(row, ROW_PIXELS)
        fit_height(self._table, _MOST_ROWS)
        self._table.clearSelection()
        if current in self._ids:
            self._table.selectRow(self._ids.index(current))
        self._table.blockSignals(blocked)

    def _on_selected(self):
        row = self._table.currentRow()
        if self._table.selectedItems() and 0 <= row < len(self._ids):
            self._chosen(self._ids[row])

    def _on_changed(self, row, column):
        segment_id, item = self._ids[row], self._table.item(row, column)
        if column == _NAME:
            self._renamed(segment_id, item.text())
        elif column == _SHOWN:
            on = item.checkState() == qt.Qt.Checked
            self._node.GetDisplayNode().SetSegmentVisibility(segment_id, on)
        elif column == _LOCKED:
            set_locked(self._node, segment_id, item.checkState() == qt.Qt.Checked)

    def _on_double_click(self, row, column):
        if column != _COLOR:
            return
        segment = self._node.GetSegmentation().GetSegment(self._ids[row])
        color = qt.QColorDialog.getColor(qt.QColor.fromRgbF(*segment.GetColor()))
        if color.isValid():
            segment.SetColor(color.redF(), color.greenF(), color.blueF())


def _state(node, segment_id):
    segment = node.GetSegmentation().GetSegment(segment_id)
    display = node.GetDisplayNode()
    shown = display is None or bool(display.GetSegmentVisibility(segment_id))
    return segment.GetName(), tuple(segment.GetColor()), shown, is_locked(node, segment_id)


def _check(on):
    item = qt.QTableWidgetItem()
    item.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)
    return item
