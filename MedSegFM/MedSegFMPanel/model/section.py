"""The section "Model": facts, packages and weights of the chosen model."""

import slicer
from slicer.i18n import tr as _

from MedSegFMLib.errors import Cancelled
from MedSegFMLib.registry import card
from MedSegFMLib.weights import store
from MedSegFMLib.weights.catalogue import entry
from MedSegFMLib.weights.download import Download

from . import licences, messages
from .free_memory import free_bytes


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
    """

    def __init__(self, ui, installation, dialogs, status, attempt, changed, weights_changed):
        self._ui = ui
        self._installation = installation
        self._dialogs = dialogs
        self._status = status
        self._changed, self._weights_changed = changed, weights_changed
        self._download = None
        self._shown = None
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
    def is_downloading(self):
        """Whether weights are being downloaded."""
        return self._download is not None

    def look_again(self):
        """Look at files and packages again at the next `show`."""
        self._shown = None

    def show(self, name, voxels):
        """Show a model's facts.

        Disk and packages are looked at only if the model is another one, or after `look_again`.

        Args:
            name: The model's name.
            voxels: The number of voxels of the region to estimate its memory for.
        """
        if (name, voxels) == self._shown:
            return
        self._shown = (name, voxels)
        self.card = card(name)
        ui = self._ui
        ui.modelTakes.text = messages.takes(self.card)
        ui.modelState.text = messages.costs(self.card, free_bytes(), voxels)
        self.can_run = self._installation.has_all(self.card) and not messages.weights_fault(
            self.card
        )
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
        ui.downloadButton.enabled = self._download is None
        ui.removeWeightsButton.enabled = here is not None and not here.shipped
        ui.weightsFolder.text = str(store.folder())

    def pump(self):
        """Follow a download."""
        if self._download is None:
            return
        if not self._download.done:
            self._status.progress(self._download.fraction, _("downloading weights"))
            return
        download, self._download = self._download, None
        if isinstance(download.error, Cancelled):
            self._status.inform(str(download.error))
        elif download.error is not None:
            self._status.warn(str(download.error))
        else:
            self._status.inform(_("The weights were downloaded and verified."))
        self._changed()

    def cancel_download(self):
        """Stop a download; it can be resumed later."""
        if self._download is not None:
            self._download.cancel()

    def _install(self):
        self._installation.install(self.card)
        self._status.inform(self._installation.explain(self.card) or _("Ready."))
        self._changed()

    def _start_download(self):
        name = self.card.weights
        if licences.accept(entry(name)):
            self._download = Download(name, accept_licence=True)
        else:
            self._status.inform(_("Nothing was downloaded: the licence was not accepted."))
        self._changed()

    def _import(self):
        in_folder = bool(entry(self.card.weights).parts)
        ask = self._dialogs.open_folder if in_folder else self._dialogs.open_file
        path = ask(_("Weights of {title}").format(title=self.card.title))
        if path:
            store.import_file(self.card.weights, path)
            self._weights_changed()
            self._status.inform(_("The weights were checked and imported."))
            self._changed()

    def _remove(self):
        question = _("Delete the weights of {title} from this computer?").format(
            title=self.card.title
        )
        if slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Remove weights")):
            store.remove(self.card.weights)
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
