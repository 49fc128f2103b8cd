"""The panel: buttons and lists around the scene logic, driven by a timer."""

from itertools import chain

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.recovery import Recovery
from MedSegFMLib.mrml.updates import ConsistencyProgressed, ConsistencyStarted, VolumeGone, Written
from MedSegFMLib.mrml.words import messages, update_messages
from MedSegFMLib.weights import store
from MedSegFMLib.worker.events import Progressed

from .actions import Actions
from .comparison.section import CompareSection
from .consistency.section import ConsistencySection
from .dialogs import Dialogs
from .model.choice import ModelChoice
from .model.images import ImageChoice
from .model.installation import Installation
from .model.section import ModelSection
from .parameter_link import ParameterLink
from .prompts.buttons import PromptButtons, Shortcuts, hint
from .prompts.place_mode import PlacedKind, PlaceMode
from .prompts.place_question import PlaceQuestionRow
from .prompts.roi_handles import show_handles
from .prompts.table import PromptTable
from .review.section import ReviewSection
from .segments.refine_section import RefineSection
from .segments.results_section import ResultsSection
from .segments.section import SegmentSection
from .status_section import StatusSection
from .table_selection import Selection
from .training.section import AdaptSection
from .volume_choice import VolumeChoice
from .worker_client import worker_client

_PUMP_MILLISECONDS = 50


class Panel:
    """The controllers of the panel, and their connections.

    Args:
        widget: The loaded `.ui` file.
        ui: Its named widgets.
        resource_path: Gives the path of a file in the module's Resources.
        make_client: Makes the client of a worker on a host, "" for this computer.
        dialogs: Dialogs for files and folders; None for the system's.

    Attributes:
        logic: The scene logic.
        parameters: The parameters that are followed; None while a scene closes.
        volume: The volume that is chosen.
        model: The model that is chosen.
    """

    def __init__(self, widget, ui, resource_path, make_client=worker_client, dialogs=None):
        self.ui = ui
        self.dialogs = dialogs or Dialogs()
        self.recovery = Recovery(store.folder().parent / "autosave")
        self.logic = SegmentationLogic(
            slicer.mrmlScene,
            make_client,
            slicer.app.applicationLogic(),
            slicer.modules.terminologies.logic(),
            self.recovery.autosave,
        )
        self.status = StatusSection(ui)
        self.place_mode = PlaceMode(
            slicer.mrmlScene, self.logic.view.draft, self.logic.view.finish, self.refresh
        )
        self.logic.while_saving.add(self.place_mode)
        self.buttons = PromptButtons(ui, self.place_mode)
        selection = Selection(self)
        self.places = PlaceQuestionRow(ui, self.logic, self.attempt)
        self.prompt_table = PromptTable(ui.promptTable, selection.take_prompt)
        self.segments = SegmentSection(self)
        self.refining = RefineSection(self)
        self.results = ResultsSection(self)
        self.installation = Installation(
            resource_path("requirements.txt"), resource_path("requirements-models.txt")
        )
        self.model = ModelChoice(self)
        self.models = ModelSection(
            ui,
            self.installation,
            self.dialogs,
            self.status,
            self.attempt,
            self.model.look_again,
            self.model.restart_worker,
        )
        self.images = ImageChoice(ui.imagesSection, self.logic, self.attempt)
        self.consistency = ConsistencySection(ui, self.logic, self.attempt)
        self.comparing = CompareSection(self)
        self.reviewing = ReviewSection(self)
        self.adapting = AdaptSection(self)
        # The parameters that are followed; the widgets show some also while none are.
        self.parameters, self._link = None, ParameterLink(ui, self.apply)
        self._is_open = False
        self.volume = VolumeChoice(self)
        self._actions = Actions(self)
        parts = (self.buttons, self._actions, self.consistency, self.reviewing)
        keys = [*chain.from_iterable(part.keys() for part in parts)]
        self._shortcuts = Shortcuts(widget, keys)
        self._timer = qt.QTimer()
        self._timer.setInterval(_PUMP_MILLISECONDS)
        self._timer.connect("timeout()", self.pump)

    def use(self, parameters):
        """Follow these parameters; None while a scene closes."""
        self.parameters = parameters
        if parameters is None:
            self.place_mode.stop()
            self.segments.leave_scene()
            self.comparing.leave_scene()
            self.reviewing.leave_scene()
            self.adapting.leave_scene()
            self.recovery.begin_scene()
            return
        self._link.use(parameters)
        self.segments.use_scene()
        self.apply()

    def enter(self):
        """Start the keys and the timer: the module is shown."""
        self._is_open = True
        self._shortcuts.enable(True)
        self.segments.enter()
        self._timer.start()
        self.models.look_again()
        self.adapting.look_again()
        self.volume.offer()
        self.refresh()

    def work_in_editor(self, volume_node):
        """Go on while the module is not shown: its effect in the Segment Editor is used.

        Args:
            volume_node: The volume that the Segment Editor shows; None for none.
        """
        if volume_node is not None and self.parameters is not None:
            self.parameters.volume = volume_node
        self._timer.start()
        self.models.look_again()
        self.refresh()

    def exit(self):
        """Stop the keys: another module is shown. Awaited answers are still written."""
        self._is_open = False
        self._shortcuts.enable(False)
        self.segments.exit()
        self.place_mode.stop()

    def close(self):
        """End everything: the module is unloaded, and its work needs no recovery."""
        self._timer.stop()
        self.use(None)
        self._link.end()
        self._shortcuts.remove()
        self.segments.close()
        self.results.close()
        self.models.installing.cancel()
        self.consistency.close()
        self.comparing.close()
        self.adapting.close()
        self.logic.close()
        self.recovery.discard()

    def restore(self):
        """Continue with the prompts in a scene that was loaded."""
        self.comparing.restore()
        # The editor follows with the next tick, once it has seen the whole scene itself.
        self._take_all(self.logic.pump())
        if self.logic.volume_node is not None:
            self.parameters.volume = self.logic.volume_node
        self.apply()

    def attempt(self, action, *args):
        """Run an action; an error becomes the status line. Returns whether there was none."""
        try:
            action(*args)
        except MedSegFMError as error:
            self.status.warn(str(error))
            return False
        finally:
            self.refresh()
        return True

    def apply(self):
        """Bring the logic to the parameters that have changed."""
        chosen = self.parameters
        if chosen is None or slicer.mrmlScene.IsImporting():
            # Half a scene is none; its end is told as well.
            return
        self.logic.requests.holds_back = not chosen.autoRun
        self.logic.new_object_per_box = chosen.newSegmentPerBox
        self.logic.limits.overwrite = chosen.overwrite.value
        self.place_mode.is_freehand = chosen.freehand
        self.logic.limits.avoid_others = chosen.avoidOthers
        if chosen.volume is not self.logic.volume_node:
            self.volume.choose(chosen.volume)
        self.model.apply()
        self.consistency.apply(chosen)
        self.comparing.apply(chosen)
        if chosen.autoRun:
            # A request that waited for Run need not wait any more.
            self.logic.requests.release()
        self.refresh()

    def pump(self):
        """Follow worker, scene and downloads; the timer calls it on the main thread."""
        self.volume.look_again()
        updates = self.logic.pump()
        self._take_all(updates)
        self.segments.follow()
        self.results.pump()
        if self._is_open and not slicer.mrmlScene.IsBatchProcessing():
            self.volume.offer()
        self.models.installing.pump()
        self.comparing.pump()
        self.adapting.pump()
        if any(
            not isinstance(update, Progressed | ConsistencyProgressed | ConsistencyStarted)
            for update in updates
        ):
            self.refresh()
        self._show_busy()

    def refresh(self):
        """Bring all widgets to the present state."""
        if self.parameters is None:
            return
        ui, logic = self.ui, self.logic
        self.model.show(self.parameters.model.value)
        has_volume = logic.volume is not None
        usable = has_volume and self.models.can_run
        self.buttons.show(logic.card, usable, logic.classes)
        self.buttons.show_active()
        self.volume.show()
        self.images.show()
        ui.promptTable.visible = bool(logic.prompts.entries)
        ui.promptHint.text = messages.prompt_hint(
            logic,
            self.models.can_run,
            hint(self.place_mode),
            logic.requests.is_held,
        )
        self.places.show()
        self.prompt_table.show(logic.prompts)
        self.segments.show()
        self.refining.show()
        self.results.show()
        index = self.prompt_table.index()
        selected = index is not None
        if self.place_mode.active is not PlacedKind.BOX:
            show_handles(slicer.mrmlScene, logic.prompts, index)
        ui.undoButton.enabled, ui.redoButton.enabled = logic.can_undo, logic.can_redo
        ui.deletePromptButton.enabled = ui.movePromptButton.enabled = selected
        ui.resetButton.enabled = bool(logic.prompts.entries)
        ui.runButton.visible = not self.parameters.autoRun
        ui.runButton.enabled = usable and bool(logic.prompts.entries)
        ui.nextSegmentButton.enabled = usable
        self.consistency.show()
        self.comparing.show()
        self.reviewing.show()
        ui.recoverButton.visible = has_volume and self.recovery.fits(logic)
        self._show_busy()

    def _take_all(self, updates):
        for update in updates:
            if isinstance(update, VolumeGone):
                self.place_mode.stop()
                self.volume.fault = ""
            elif isinstance(update, Written) and not (
                self.parameters is None or self.parameters.showChanges
            ):
                self.logic.overlay.clear()
            update_messages.show_update(update, self.status, self.logic)

    def _show_busy(self):
        requests = self.logic.requests
        if (requests.is_predicting and not requests.is_held) or self.models.installing.is_busy:
            self.status.busy(True, _("The model is being started…"))
        else:
            self.status.busy(self.logic.consistency.is_measuring)
