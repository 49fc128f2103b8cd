"""Adapt to my site: a training on the user's own segments, from the button to the result."""

from dataclasses import replace
from time import monotonic, strftime

import slicer
from slicer.i18n import tr as _

from MedSegFMLib import registry
from MedSegFMLib.mrml.training.adaptation import CASES, RECIPE, Adapting, Phase, Plan
from MedSegFMLib.mrml.training.training_set import AcceptedSegments, write_cases
from MedSegFMLib.mrml.words import model_messages
from MedSegFMLib.train.registry import recipe
from MedSegFMLib.weights import store

from . import messages

_BASES = ("sam", "medsam")
_ADAPTER_FILE = "adapter_model.safetensors"
# Segments change unannounced; they are looked at this often while the section is open.
_LOOK_SECONDS = 1.0


class AdaptSection:
    """Shows the training set, follows the training, and imports its result.

    Args:
        panel: The `Panel`.
    """

    def __init__(self, panel):
        self._panel = panel
        self._ui = ui = panel.ui
        self.adapting = Adapting()
        self._looked_at = float("-inf")
        self._candidates, self._bases = [], []
        # What trains, as the installation knows models, and what it lacks in a sentence; None:
        # not looked at yet.
        card = registry.card(RECIPE)
        self._card = replace(card, packages=recipe(RECIPE).PACKAGES)
        self._packages = None
        self._listed = {}
        self._accepted = AcceptedSegments(slicer.mrmlScene)
        # What was done with a result, and the title of the volume it was measured on.
        self._said = self._held_back = ""
        for button, action in (
            (ui.adaptButton, self._start),
            (ui.adaptCancelButton, self._cancel),
            (ui.useAdaptedButton, self._use),
            (ui.adaptFolderButton, self._open_folder),
        ):
            button.connect("clicked(bool)", lambda _on, action=action: self._do(action))
        ui.adaptSection.connect("contentsCollapsed(bool)", lambda _collapsed: self._look())
        self._show()

    def look_again(self):
        """Look at packages, weights and segments again."""
        self._packages = None
        self._looked_at = float("-inf")

    def pump(self):
        """Follow the training, and the scene while the section is open."""
        changed = self.adapting.poll()
        if monotonic() - self._looked_at >= _LOOK_SECONDS and not self._ui.adaptSection.collapsed:
            self._look()
        elif changed:
            self._show()

    def leave_scene(self):
        """Stop: the scene closes, and the training saves its state."""
        self._candidates = []
        if self.adapting.phase in (Phase.PREPARING, Phase.TRAINING):
            self.adapting.cancel()
        self.look_again()
        self._show()

    def close(self):
        """End the training: the module is unloaded."""
        self._candidates = []
        self.adapting.close()

    def _look(self):
        """Look for cases to train on and models to start from."""
        self._looked_at = monotonic()
        if not self.adapting.is_busy:
            self._candidates = self._accepted.candidates()
            here = [(name, model_messages.weights_here(registry.card(name))) for name in _BASES]
            self._bases = [name for name, found in here if found and not found.fault]
            if self._packages is None:
                self._packages = self._panel.installation.explain(self._card)
        self._show()

    def _do(self, action):
        self._said = ""
        self._panel.attempt(action)
        self._look()

    def _start(self):
        adapting, ui = self.adapting, self._ui
        if self._packages:
            self.look_again()
            self._panel.installation.install(self._card)
            return
        if adapting.can_resume:
            adapting.resume()
            return
        held_back = self._candidates[max(ui.adaptHeldBack.currentIndex, 0)]
        self._held_back = held_back.title
        plan = Plan(
            store.folder().parent / "adapted" / strftime("%Y-%m-%d-%H%M%S"),
            held_back.name,
            self._bases[max(ui.adaptBase.currentIndex, 0)],
            ui.adaptSteps.value,
            self._panel.parameters.device.value,
        )
        adapting.start(plan, write_cases(self._candidates, plan.folder / CASES))

    def _cancel(self):
        if self.adapting.can_resume:
            self.adapting.forget()
        else:
            self.adapting.cancel()

    def _use(self):
        found = self.adapting.result
        file = found / _ADAPTER_FILE if found.is_dir() else found
        self._panel.models.installing.import_file(RECIPE, file, self._used)

    def _used(self, left_out):
        self._panel.model.use(RECIPE)
        said = _("The adapted model was imported and is now chosen.")
        self._said = f"{said} {left_out}".strip()
        self._show()

    def _open_folder(self):
        self._panel.dialogs.show_folder(str(self.adapting.plan.folder))

    def _show(self):
        """Bring the widgets to the present state."""
        ui, adapting = self._ui, self.adapting
        busy, can_resume = adapting.is_busy, adapting.can_resume
        packages = self._packages or ""
        lacks = packages or messages.lacks(self._candidates, self._bases)
        restart = packages and self._panel.installation.needs_restart(self._card)
        if busy:
            hint = _("You can continue segmenting meanwhile; both share this computer's memory.")
        else:
            hint = lacks or messages.offer(self._candidates)
        ui.adaptHint.text = hint
        self._list(ui.adaptBase, [registry.card(name).title for name in self._bases])
        self._list(ui.adaptHeldBack, [candidate.title for candidate in self._candidates])
        for widget in (ui.adaptBase, ui.adaptHeldBack, ui.adaptSteps):
            widget.enabled = not (busy or can_resume or lacks)
        ui.adaptButton.text = _("Continue") if can_resume else _("Adapt")
        ui.adaptButton.enabled = can_resume or not (busy or lacks)
        if packages and not (busy or can_resume):
            ui.adaptButton.text, ui.adaptButton.enabled = _("Install"), not restart
        ui.adaptButton.toolTip = "" if can_resume else lacks
        ui.adaptCancelButton.visible = busy or can_resume
        if can_resume:
            ui.adaptCancelButton.text = _("Discard")
        else:
            stopping = adapting.phase is Phase.STOPPING
            ui.adaptCancelButton.text = _("Stop now") if stopping else _("Cancel")
        ui.adaptProgress.visible = busy
        ui.adaptProgress.setValue(round(100 * adapting.fraction))
        self._show_result()

    def _show_result(self):
        ui, adapting = self._ui, self.adapting
        said, is_warning = messages.status(adapting)
        ui.adaptStatus.text = self._said or said
        ui.adaptStatus.visible = bool(ui.adaptStatus.text)
        ui.adaptStatus.styleSheet = "color: #b00020; font-weight: bold;" if is_warning else ""
        done = adapting.phase is Phase.DONE
        ui.adaptScores.text = messages.scores(adapting.report, self._held_back) if done else ""
        ui.adaptScores.visible = bool(ui.adaptScores.text)
        worse = done and messages.verdict(adapting.report)[1] is False
        ui.useAdaptedButton.text = _("Use it anyway") if worse else _("Use it")
        ui.useAdaptedButton.visible = done
        ui.adaptFolderButton.visible = done or adapting.can_resume

    def _list(self, box, titles):
        """Fill a list if it has changed; the choice stays."""
        if self._listed.get(box.name) == titles:
            return
        self._listed[box.name] = titles
        before = box.currentText
        box.clear()
        box.addItems(titles)
        box.setCurrentIndex(titles.index(before) if before in titles else 0)
