"""The section "Model": facts, packages and weights of the chosen model."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MedSegFMLib.models.importing import asked_for
from MedSegFMLib.mrml.installing import Installing
from MedSegFMLib.mrml.words import model_messages as messages
from MedSegFMLib.registry import card
from MedSegFMLib.system.memory.device_memory import free_for
from MedSegFMLib.weights import installing, store
from MedSegFMLib.weights.catalogue import entry

from . import licences


class ModelSection:
    """Shows the chosen model, and installs its packages and weights.

    Args:
        ui: The named widgets of the panel.
        installation: The packages.
        dialogs: Dialogs for files and folders.
        status: The status section.
        attempt: Runs an action that may raise a MedSegFMError, and shows its message.
        changed: Called when the model may be able to run now, or not any more.
        weights_changed: Called when a loaded model has other weights than those installed now.

    Attributes:
        card: The card of the chosen model.
        can_run: Whether its packages and weights are installed.
        installing: Downloads and imports weights.
    """

    def __init__(self, ui, installation, dialogs, status, attempt, changed, weights_changed):
        self._ui = ui
        self._installation = installation
        self._dialogs = dialogs
        self._status = status
        self._changed, self._weights_changed = changed, weights_changed
        self.installing = Installing(status, changed)
        self._shown = self._fault = None
        self.card = None
        self.can_run = False
        for button, action in (
            (ui.installButton, self._install),
            (ui.downloadButton, self._start_download),
            (ui.importButton, self._import),
            (ui.removeWeightsButton, self._remove),
            (ui.openFolderButton, self._open_folder),
        ):
            button.connect("clicked(bool)", lambda _on, action=action: attempt(action))

    def look_again(self):
        """Look at files and packages again at the next `show`."""
        self._shown = None
        self._installation.look_again()

    def show(self, name, options, voxels, device):
        """Show a model's facts.

        Disk and packages are looked at only if the model is another one, or has other options, or
        after `look_again`.

        Args:
            name: The model's name.
            options: Its options.
            voxels: The number of voxels of the region to estimate its memory for.
            device: The device whose free memory it is compared with; a name as in the parameters.
        """
        looked = (name, frozenset(options))
        if (looked, voxels, device) == self._shown:
            return
        is_known = self._shown is not None and self._shown[0] == looked
        self._shown = (looked, voxels, device)
        if not is_known:
            self._look(card(name, options))
        free = free_for("cpu" if self.card.cpu_only else device)
        self._ui.modelState.text = messages.costs(self.card, self._fault, free, voxels)

    def _look(self, model_card):
        """Look at a model's packages and weights, and show what they allow."""
        ui, self.card = self._ui, model_card
        ui.modelTakes.text = messages.takes(self.card)
        self._fault = messages.weights_fault(self.card)
        self.can_run = self._installation.has_all(self.card) and not self._fault
        ui.modelSelector.toolTip = self.card.summary
        sentence = self._installation.explain(self.card)
        ui.setupLabel.text = sentence
        ui.setupFrame.visible = bool(sentence)
        ui.installButton.visible = self._installation.can_install(self.card)
        needs_weights = self.card.weights is not None
        here = messages.weights_here(self.card)
        ui.importButton.visible = needs_weights
        ui.downloadButton.visible = (
            needs_weights and here is None and messages.is_published(self.card)
        )
        ui.downloadButton.enabled = ui.importButton.enabled = not self.installing.is_busy
        ui.removeWeightsButton.enabled = here is not None and not here.shipped
        ui.weightsFolder.text = str(store.folder())

    def _install(self):
        # Slicer handles clicks while pip runs.
        self._ui.installButton.enabled = False
        try:
            self._installation.install(self.card)
        finally:
            self._ui.installButton.enabled = True
        self._status.inform(self._installation.explain(self.card) or _("Ready."))
        self._changed()

    def _start_download(self):
        if licences.accept(entry(self.card.weights), self.card.title):
            self.installing.download(self.card)
        else:
            self._status.inform(messages.not_accepted())
        self._changed()

    def _import(self):
        in_folder = bool(entry(self.card.weights).parts)
        ask = self._dialogs.open_folder if in_folder else self._dialogs.open_file
        title = _("Weights of {title}").format(title=self.card.title)
        path = ask(title)
        if not path:
            return
        unknown = asked_for(self.card.weights, Path(path))
        options = self._dialogs.ask_options(title, unknown) if unknown else {}
        if options is not None:
            self.installing.import_file(self.card.weights, path, self._imported, options)
            self._changed()

    def _imported(self, left_out):
        self._weights_changed()
        said = _("The weights were checked and imported.")
        self._status.inform(f"{said} {left_out}".strip())

    def _remove(self):
        question = _("Delete the weights of {title} from this computer?").format(
            title=self.card.title
        )
        if slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Remove weights")):
            installing.remove(self.card.weights)
            self._weights_changed()
            back = store.shipped(self.card.weights) is not None
            self._status.inform(
                _("The weights were removed; the shipped ones are used again.")
                if back
                else _("The weights were removed.")
            )
            self._changed()

    def _open_folder(self):
        self._dialogs.show_folder(str(store.folder()))
