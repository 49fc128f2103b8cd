"""The section "Model": facts, packages and weights of the chosen model."""

import slicer
from slicer.i18n import tr as _

from MedSegFMLib.errors import Cancelled, WeightsError
from MedSegFMLib.mrml.words import model_messages as messages
from MedSegFMLib.registry import card
from MedSegFMLib.system.memory.device_memory import free_for
from MedSegFMLib.weights import installing, store
from MedSegFMLib.weights.catalogue import entry
from MedSegFMLib.weights.download import Download, Import
from MedSegFMLib.worker.trial_process import ProcessTrial

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
        make_trial: Makes the trial of new weights before they are installed.
    """

    def __init__(self, ui, installation, dialogs, status, attempt, changed, weights_changed):
        self._ui = ui
        self._installation = installation
        self._dialogs = dialogs
        self._status = status
        self._changed, self._weights_changed = changed, weights_changed
        self._installing = self._trial = self._then = None
        self.make_trial = ProcessTrial
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

    @property
    def is_installing(self):
        """Whether weights are being downloaded or imported."""
        return self._installing is not None

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
        ui.downloadButton.enabled = ui.importButton.enabled = not self.is_installing
        ui.removeWeightsButton.enabled = here is not None and not here.shipped
        ui.weightsFolder.text = str(store.folder())

    def pump(self):
        """Follow a download or an import."""
        work = self._installing
        if work is None:
            return
        if not work.done:
            is_download = isinstance(work, Download)
            phrase = _("downloading weights") if is_download else _("checking the weights")
            self._status.progress(work.fraction, phrase)
            return
        self._installing = None
        if isinstance(work.error, Cancelled):
            self._status.inform(str(work.error))
        elif work.error is not None:
            self._status.warn(str(work.error))
        else:
            self._then(self._trial.left_out)
        self._changed()

    def cancel_installing(self):
        """Stop a download, which can be resumed later, or an import."""
        if self._installing is not None:
            self._installing.cancel()

    def import_weights(self, name, path, then):
        """Try weights and import them, in the background.

        Args:
            name: The name of the weights.
            path: Their file or folder.
            then: Called after that, with a sentence on what of the trial was left out, or "".

        Raises:
            WeightsError: Other weights are being installed.
        """
        self._check_idle()
        self._trial, self._then = self.make_trial(), then
        self._installing = Import(name, path, self._trial)

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
        name = self.card.weights
        self._check_idle()
        if licences.accept(entry(name), self.card.title):
            self._trial = self.make_trial()
            self._then = lambda left_out: self._status.inform(
                " ".join((_("The weights were downloaded and verified."), left_out)).strip()
            )
            self._installing = Download(name, accept_licence=True, trial=self._trial)
        else:
            self._status.inform(_("Nothing was downloaded: the licence was not accepted."))
        self._changed()

    def _import(self):
        in_folder = bool(entry(self.card.weights).parts)
        ask = self._dialogs.open_folder if in_folder else self._dialogs.open_file
        path = ask(_("Weights of {title}").format(title=self.card.title))
        if path:
            self.import_weights(self.card.weights, path, self._imported)
            self._changed()

    def _imported(self, left_out):
        self._weights_changed()
        said = _("The weights were checked and imported.")
        self._status.inform(f"{said} {left_out}".strip())

    def _check_idle(self):
        if self.is_installing:
            raise WeightsError(
                _("Weights are being installed already; wait until that is done, or cancel it.")
            )

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
