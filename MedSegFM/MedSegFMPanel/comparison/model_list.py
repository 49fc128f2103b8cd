"""The list of models to compare, each with a check box."""

import qt

from MedSegFMLib import registry
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.model_choice import read_choice

_MOST_ROWS, _FRAME_PIXELS = 12, 4


class CompareModels:
    """All models by their titles, and models with options.

    Args:
        view: The list widget.
        changed: Called when the user ticks or unticks a model.
    """

    def __init__(self, view, changed):
        self._view = view
        for name in registry.MODELS:
            self._add(read_choice(name))
        rows = min(view.count, _MOST_ROWS)
        view.setFixedHeight(rows * view.sizeHintForRow(0) + _FRAME_PIXELS)
        view.connect("itemChanged(QListWidgetItem*)", lambda _item: changed())

    def offer(self, texts):
        """Add rows for models with options that have none yet; what cannot be read is left out.

        Args:
            texts: the models as `model_choice` reads them.
        """
        blocked = self._view.blockSignals(True)
        for text in texts:
            try:
                choice = read_choice(text)
            except MedSegFMError:
                continue
            if choice.text not in self._texts():
                self._add(choice)
        self._view.blockSignals(blocked)

    def _add(self, choice):
        item = qt.QListWidgetItem(choice.title)
        item.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
        item.setData(qt.Qt.UserRole, choice.text)
        item.setToolTip(choice.card.summary)
        item.setCheckState(qt.Qt.Unchecked)
        self._view.addItem(item)

    def _texts(self):
        return [self._view.item(n).data(qt.Qt.UserRole) for n in range(self._view.count)]

    def ticked(self):
        """The texts of the ticked models, in the order of the list."""
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
