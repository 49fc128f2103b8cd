"""The list of models to compare, each with a check box."""

import qt

from MedSegFMLib import registry

_MOST_ROWS, _FRAME_PIXELS = 12, 4


class CompareModels:
    """All models by their titles.

    Args:
        view: The list widget.
        changed: Called when the user ticks or unticks a model.
    """

    def __init__(self, view, changed):
        self._view = view
        for name in registry.MODELS:
            item = qt.QListWidgetItem(registry.card(name).title)
            item.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
            item.setData(qt.Qt.UserRole, name)
            item.setToolTip(registry.card(name).summary)
            item.setCheckState(qt.Qt.Unchecked)
            view.addItem(item)
        rows = min(view.count, _MOST_ROWS)
        view.setFixedHeight(rows * view.sizeHintForRow(0) + _FRAME_PIXELS)
        view.connect("itemChanged(QListWidgetItem*)", lambda _item: changed())

    def ticked(self):
        """The names of the ticked models, in the order of the list."""
        items = [self._view.item(n) for n in range(self._view.count)]
        return [i.data(qt.Qt.UserRole) for i in items if i.checkState() == qt.Qt.Checked]

    def tick(self, names):
        """Tick these models and no others; `changed` is not called."""
        if names == self.ticked():
            return
        blocked = self._view.blockSignals(True)
        for n in range(self._view.count):
            item = self._view.item(n)
            on = item.data(qt.Qt.UserRole) in names
            item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)
        self._view.blockSignals(blocked)
