"""The section "Clean up and freeze": changes of the current segment without a model."""

from MedSegFMLib.errors import PromptError
from MedSegFMLib.mrml.words import messages
from MedSegFMLib.prompts.types import Box
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.segmentations.treatment import Treatment


class RefineSection:
    """Treats the current segment, and freezes parts of it.

    Args:
        panel: The `Panel`.
    """

    def __init__(self, panel):
        self._panel, self._ui = panel, panel.ui
        self._slices = 0
        for button, action in (
            (self._ui.treatButton, self._treat),
            (self._ui.freezeSlicesButton, self._freeze_slices),
            (self._ui.freezeBoxButton, self._freeze_box),
        ):
            button.connect("clicked(bool)", lambda _on, action=action: panel.attempt(action))
        for field in (self._ui.largestPart, self._ui.fillHoles):
            field.connect("toggled(bool)", lambda _on: self.show())
        for field in (self._ui.smoothMm, self._ui.minVolumeMl):
            field.connect("valueChanged(double)", lambda _value: self.show())

    def show(self):
        """Bring the widgets to the present state."""
        ui, logic = self._ui, self._panel.logic
        self._limit_slices()
        is_there = not logic.objects.chosen_segment and logic.segments.is_there(logic.current_label)
        ui.treatButton.enabled = is_there and not self._treatment().is_none
        ui.freezeSlicesButton.enabled = is_there and logic.volume is not None
        ui.freezeBoxButton.enabled = is_there and self._selected_box() is not None

    def _limit_slices(self):
        """Give the fields for slices the range of the volume, all of it to begin with."""
        volume = self._panel.logic.volume
        slices = 0 if volume is None else volume.geometry.shape_kji[0]
        if slices == self._slices:
            return
        self._slices = slices
        for field, value in ((self._ui.freezeFrom, 0), (self._ui.freezeTo, slices - 1)):
            field.maximum = max(0, slices - 1)
            field.value = max(0, value)

    def _treatment(self):
        ui = self._ui
        return Treatment(
            ui.fillHoles.checked, ui.smoothMm.value, ui.minVolumeMl.value, ui.largestPart.checked
        )

    def _treat(self):
        name = self._panel.logic.prompts.name(self._panel.logic.current_label)
        is_changed = self._panel.logic.objects.treat(self._treatment())
        self._panel.status.inform(messages.treated(name, is_changed))

    def _freeze_slices(self):
        first, last = self._ui.freezeFrom.value, self._ui.freezeTo.value
        if first > last:
            raise PromptError(messages.no_slices(first, last))
        _slices, rows, columns = self._panel.logic.volume.geometry.shape_kji
        self._panel.logic.freeze(Region((first, 0, 0), (last + 1, rows, columns)))

    def _freeze_box(self):
        box = self._selected_box()
        if box is not None:
            self._panel.logic.freeze(box)

    def _selected_box(self):
        """The box that is selected in the list of prompts; None if none is."""
        index = self._panel.prompt_table.index()
        entries = self._panel.logic.prompts.entries
        prompt = entries[index][1] if index is not None and index < len(entries) else None
        return prompt if isinstance(prompt, Box) else None
