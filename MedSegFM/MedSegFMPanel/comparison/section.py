"""Compare models: the same prompts to each, and their results side by side."""

from time import monotonic

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib import registry
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.model_choice import choice_text, read_choice, split_choices
from MedSegFMLib.mrml.comparison.comparison import METHODS, ModelComparison
from MedSegFMLib.mrml.comparison.outlines import MODEL_COLORS
from MedSegFMLib.mrml.comparison.requests import FEWEST, MOST
from MedSegFMLib.mrml.comparison.table import table_of
from MedSegFMLib.mrml.comparison.view import ModelComparisonView
from MedSegFMLib.mrml.segments.reference import reference_choices
from MedSegFMLib.mrml.words import comparison_messages as messages
from MedSegFMLib.prompts.json_format import read_prompts, write_prompts

from ..model.options import option_texts, own_options
from .model_list import CompareModels
from .table import CompareTable

# Segments come and go unannounced; they are looked at this often while there are results.
_LOOK_SECONDS = 1.0


class CompareSection:
    """Starts comparisons, follows them, and uses their results.

    Args:
        panel: The `Panel`.
    """

    def __init__(self, panel):
        self._panel = panel
        self._ui = ui = panel.ui
        self.comparison = ModelComparison(panel.logic, own_options)
        self.view = ModelComparisonView(slicer.mrmlScene, self.comparison)
        panel.logic.while_saving.add(self.view)
        self._table = CompareTable(ui.compareTable, self._show_buttons, self._on_shown)
        self._looked_at = float("-inf")
        self._references, self._listed = [], {}
        self._was_running = False
        self._models = CompareModels(ui.compareModels, self._on_ticked)
        for method, title in METHODS.items():
            ui.consensusMethod.addItem(title, method)
        for button, action in (
            (ui.compareButton, self._start),
            (ui.comparePromptsButton, self._start_with_file),
            (ui.savePromptsButton, self._save_prompts),
            (ui.compareCancelButton, self.comparison.cancel),
            (ui.compareCloseButton, self.comparison.close),
            (ui.takeButton, self._take),
            (ui.copyTableButton, self._copy),
            (ui.saveTableButton, self._save_table),
            (ui.consensusButton, self._add_consensus),
        ):
            button.connect("clicked(bool)", lambda _on, action=action: self._do(action))
        ui.compareObject.connect("currentIndexChanged(int)", self._on_object)
        ui.compareReference.connect("currentIndexChanged(int)", self._on_reference)
        ui.compareMap.connect("toggled(bool)", self._on_map)
        self.show()

    def apply(self, parameters):
        """Bring the section to the parameters."""
        chosen = [_current(text) for text in split_choices(parameters.compareModels) if text]
        self._models.offer([*option_texts(parameters.modelOptions), *chosen])
        self._models.tick(chosen)
        self.view.arrangement = parameters.compareArrangement.value
        if parameters.showConsistency and self._ui.compareMap.checked:
            # The views show one map at a time.
            self._ui.compareMap.checked = False
        self._update()

    def pump(self):
        """Follow the models and the scene; the panel's timer calls it."""
        changed = self.comparison.pump()
        for sentence in self.comparison.complaints():
            self._panel.status.warn(sentence)
        running = self.comparison.is_running
        if self._was_running and not running:
            # The worker holds the last model; the user's own is loaded for the next prompt.
            self._panel.model.warm_up()
        self._was_running = running
        if self.comparison.is_open:
            self.view.update()
        late = monotonic() - self._looked_at >= _LOOK_SECONDS
        if changed or (late and self.comparison.is_open):
            self._update()

    def restore(self):
        """Repair a scene that was loaded and had been saved during a comparison."""
        self.view.mend()

    def leave_scene(self):
        """End the comparison: the scene closes."""
        self.comparison.close()
        self.comparison.scoring.references.clear()
        self._update()

    def close(self):
        """Restore views and layout: the module is unloaded."""
        self.comparison.shut_down()
        self.view.update()

    def show(self):
        """Bring views and widgets to the present state."""
        self.view.update()
        ui, comparison, logic = self._ui, self.comparison, self._panel.logic
        running, chosen = comparison.is_running, len(self._models.ticked())
        has_volume, has_prompts = logic.volume is not None, bool(logic.prompts.entries)
        enough = FEWEST <= chosen <= MOST
        ui.compareHint.text = messages.hint(has_volume, has_prompts, chosen)
        ui.compareHint.visible = not comparison.is_open
        ui.compareModels.enabled = ui.compareConsistency.enabled = not running
        ui.compareButton.enabled = has_volume and has_prompts and enough and not running
        ui.comparePromptsButton.enabled = has_volume and enough and not running
        ui.savePromptsButton.enabled = has_prompts
        ui.compareCloseButton.enabled = comparison.is_open
        ui.compareProgress.visible = ui.compareCancelButton.visible = running
        ui.compareProgress.setValue(round(100 * comparison.fraction))
        ui.compareStatus.text = messages.status(comparison)
        ui.compareStatus.visible = bool(ui.compareStatus.text)
        ui.compareResults.visible = comparison.is_open
        if comparison.is_open:
            self._show_results()

    def _update(self):
        self._looked_at = monotonic()
        if self.comparison.is_open:
            self._references = reference_choices(slicer.mrmlScene)
        self.show()

    def _show_results(self):
        ui, comparison, label = self._ui, self.comparison, self.view.label
        prompts, results = comparison.subject.prompts, comparison.results
        labels = comparison.subject.labels
        self._list(ui.compareObject, [(prompts.name(n), n) for n in labels], label)
        ui.compareObject.visible = ui.compareObjectLabel.visible = len(labels) > 1
        reference = comparison.scoring.references.get(label)
        titles = [(_("None"), "")] + [(r.title, _key(r)) for r in self._references]
        self._list(ui.compareReference, titles, "" if reference is None else _key(reference))
        ui.compareReferenceNote.text = comparison.scoring.faults.get(label, "")
        ui.compareReferenceNote.visible = bool(ui.compareReferenceNote.text)
        colors = MODEL_COLORS[: len(results)]
        ui.compareLegend.text = messages.legend(results, colors)
        ui.compareLegend.visible = self.view.arrangement == "outlines"
        models = [found.model for found in results]
        self._table.show(table_of(comparison, [label]), models, colors, self.view.hidden)
        ui.compareNotes.text = messages.notes(comparison)
        ui.compareNotes.visible = bool(ui.compareNotes.text)
        answered = sum(found.cost is not None for found in results)
        ui.consensusButton.enabled = ui.compareMap.enabled = answered >= FEWEST
        self._show_buttons()

    def _show_buttons(self):
        model = self._table.model()
        masks = {} if model is None else self.comparison.result(model).masks
        self._ui.takeButton.enabled = self.view.label in masks

    def _do(self, action):
        self._panel.attempt(action)
        self._update()

    def _start(self):
        self._begin(None)

    def _start_with_file(self):
        path = self._panel.dialogs.open_file(_("Prompts to compare models on"))
        if path:
            self._begin(read_prompts(path))

    def _begin(self, prompts):
        parameters = self._panel.parameters
        self.comparison.start(
            self._models.ticked(), prompts, parameters.device.value, parameters.compareConsistency
        )

    def _save_prompts(self):
        path = self._panel.dialogs.save_file(
            _("Save the prompts"), "prompts.json", _("Prompts (*.json)")
        )
        if path:
            write_prompts(self._panel.logic.prompts, path)
            self._panel.status.inform(_("The prompts were saved to {path}.").format(path=path))

    def _take(self):
        found, label = self.comparison.result(self._table.model()), self.view.label
        own = self.comparison.use_result(found.model, label)
        logic = self._panel.logic
        self._panel.status.inform(
            messages.used(found.title, logic.prompts.name(own), registry.card(logic.model).title)
        )

    def _copy(self):
        qt.QApplication.clipboard().setText(table_of(self.comparison).text())
        self._panel.status.inform(_("The table was copied; paste it into a spreadsheet."))

    def _save_table(self):
        path = self._panel.dialogs.save_file(_("Save the table"), "models.csv", _("CSV (*.csv)"))
        if path:
            table_of(self.comparison).write_csv(path)
            self._panel.status.inform(_("The table was saved to {path}.").format(path=path))

    def _add_consensus(self):
        method = list(METHODS)[max(self._ui.consensusMethod.currentIndex, 0)]
        self.comparison.ask_consensus(self.view.label, method)

    def _on_object(self, index):
        labels = self.comparison.subject.labels if self.comparison.is_open else ()
        if 0 <= index < len(labels):
            self.view.label = labels[index]
            self._update()

    def _on_reference(self, index):
        chosen = self._references[index - 1] if index > 0 else None
        self.comparison.scoring.use_reference(self.view.label, chosen)

    def _on_map(self, on):
        if on and self._panel.parameters is not None:
            # The views show one map at a time.
            self._panel.parameters.showConsistency = False
        self.view.shows_map = on
        self._update()

    def _on_shown(self, model, visible):
        hidden = self.view.hidden - {model}
        self.view.hidden = hidden if visible else hidden | {model}
        self._update()

    def _on_ticked(self):
        if self._panel.parameters is not None:
            self._panel.parameters.compareModels = ",".join(self._models.ticked())
        self.show()

    def _list(self, box, items, chosen):
        """Fill a list of (title, data) if it has changed, and choose one."""
        blocked = box.blockSignals(True)
        if self._listed.get(box.name) != items:
            self._listed[box.name] = items
            box.clear()
            box.addItems([title for title, _data in items])
        box.setCurrentIndex(next((n for n, item in enumerate(items) if item[1] == chosen), 0))
        box.blockSignals(blocked)


def _current(text):
    """A model's text with its present name."""
    try:
        choice = read_choice(text)
    except MedSegFMError:
        return text
    weights = {} if choice.weights is None else {"weights": choice.weights}
    return choice_text(choice.name, {**weights, **choice.options})


def _key(reference):
    return f"{reference.node.GetID()} {reference.segment_id}"
