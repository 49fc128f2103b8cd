"""The Slicer module: its metadata, its parameters, and its widget with the panel."""

import importlib.util
import sys
from enum import Enum
from pathlib import Path

import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if importlib.util.find_spec("MedSegFMLib") is None:
    # A source checkout: the library lies beside the module's folder.
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from MedSegFMLib.mrml.words.comparison_messages import ARRANGEMENTS
from MedSegFMLib.registry import ALIASES, DEFAULT_MODEL, MODELS, card


def _choices(name, labels, aliases=None):
    """An Enum of choices, the default first.

    Args:
        name: The name of the Enum.
        labels: The panel's label of each choice.
        aliases: Earlier names, which a saved scene may hold, and the choices that they stand for.
    """
    found = Enum(name, {value: value for value in labels} | (aliases or {}))
    found.label = lambda self: labels[self.value]
    return found


ModelChoice = _choices(
    "ModelChoice", {name: card(name).title for name in (DEFAULT_MODEL, *MODELS)}, ALIASES
)
DeviceChoice = _choices("DeviceChoice", {"auto": _("Auto"), "cpu": _("CPU"), "cuda": _("GPU")})
OverwriteChoice = _choices(
    "OverwriteChoice",
    {
        "none": _("Keep them; segments may overlap"),
        "visible": _("Take voxels from visible ones"),
        "all": _("Take voxels from all"),
    },
)
ArrangementChoice = _choices("ArrangementChoice", ARRANGEMENTS)


class MedSegFM(ScriptedLoadableModule):
    """Metadata of the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "MedSegFM"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        # People by name before it is published: see Docs/publishing.md.
        parent.contributors = [_("The MedSegFM developers")]
        parent.helpText = _(
            "Interactive 3D segmentation with foundation models: load a volume, draw a box around "
            "an object or click on it, and get a segment. Every prompt can be moved, deleted and "
            "undone, and your data stays on your computer unless you name a worker host."
        )
        parent.acknowledgementText = _(
            "MedSegFM builds on published work on cross-plane SAM, SAM3D, Medical SAM3 and ENSAM; "
            "the model cards in the documentation name papers, authors and licences."
        )
        slicer.app.connect("startupCompleted()", _register_sample_data)
        slicer.app.connect("startupCompleted()", _register_effect)
        slicer.app.connect("startupCompleted()", _register_measurements)


@parameterNodeWrapper
class MedSegFMParameterNode:
    """The parameters of the panel, saved with the scene.

    Attributes:
        volume: The volume to segment.
        model: The model.
        device: Where it runs.
        modelOptions: The options of models that are not their defaults, as JSON.
        autoRun: Whether it runs after each prompt.
        newSegmentPerBox: Whether each further box starts a new segment.
        freehand: Whether scribbles and lassos are drawn by dragging.
        overwrite: Which other segments may lose voxels.
        avoidOthers: Whether answers keep away from the segments that got no prompts.
        showChanges: Whether the last change is shown as a short-lived overlay.
        showConsistency: Whether the disagreement of the planes is measured and shown.
        showContours: Whether each plane's own outline is shown.
        compareModels: The names of the models to compare, separated by commas.
        compareConsistency: Whether the agreement of their planes is measured too.
        compareArrangement: How their results are shown.
    """

    volume: vtkMRMLScalarVolumeNode
    model: ModelChoice
    device: DeviceChoice
    modelOptions: str = "{}"
    autoRun: bool = True
    newSegmentPerBox: bool = False
    freehand: bool = True
    overwrite: OverwriteChoice
    avoidOthers: bool = False
    showChanges: bool = True
    showConsistency: bool = False
    showContours: bool = True
    compareModels: str = "ensam,randomwalk"
    compareConsistency: bool = False
    compareArrangement: ArrangementChoice


# A property of the module's place in Slicer, which outlives this object: whether it is shown.
_SHOWN = "MedSegFMShown"


class MedSegFMWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects Slicer's events (enter, exit, scene close) with the panel."""

    def __init__(self, parent=None):
        # With no parent the base class calls setup() before it returns.
        VTKObservationMixin.__init__(self)
        self.panel = None
        # Kept for good: a wrapper that is collected while its node lives takes Slicer down.
        self._wrapped = None
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        """Build the panel; nothing is installed or downloaded here.

        *Reload* calls this method on a new object, and no other.
        """
        from MedSegFMPanel.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedSegFM.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self._uiWidget = uiWidget
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.ui.volumeSelector.setMRMLScene(slicer.mrmlScene)
        self.panel = Panel(uiWidget, self.ui, self.resourcePath)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.panel.use(self._parameters())
        self.panel.volume.offer()
        if self.parent.property(_SHOWN):
            self.panel.enter()

    def enter(self):
        """Start keys and worker: the module is shown."""
        self.parent.setProperty(_SHOWN, True)
        self.panel.use(self._parameters())
        self.panel.enter()

    def exit(self):
        """Stop the keys: another module is shown."""
        self.parent.setProperty(_SHOWN, False)
        self.panel.exit()

    def cleanup(self):
        """End the panel and the worker process: the module is unloaded, or loaded again."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
            self.panel = None
            # Slicer only hides the widgets of an object that *Reload* replaces.
            self.ui.volumeSelector.setMRMLScene(None)
            self.ui.segmentEditor.setMRMLScene(None)
            self._uiWidget.setParent(None)
            self._uiWidget.deleteLater()

    def onSceneStartClose(self, caller, event):
        """Let go of the parameters: the nodes are about to be removed."""
        self.panel.use(None)

    def onSceneEndClose(self, caller, event):
        """Use the parameters of the empty scene."""
        self.panel.use(self._parameters())

    def onSceneEndImport(self, caller, event):
        """Continue with a scene that was loaded, which may have prompts."""
        self.panel.use(self._parameters())
        self.panel.restore()

    def _parameters(self):
        node = MedSegFMLogic().getParameterNode()
        for name, choices in (
            ("model", ModelChoice),
            ("device", DeviceChoice),
            ("overwrite", OverwriteChoice),
            ("compareArrangement", ArrangementChoice),
        ):
            # A scene of another version may name what this one does not have.
            if node.GetParameter(name) not in choices.__members__:
                node.UnsetParameter(name)
        if self._wrapped is None or self._wrapped.parameterNode is not node:
            self._wrapped = MedSegFMParameterNode(node)
        return self._wrapped


class MedSegFMLogic(ScriptedLoadableModuleLogic):
    """Owns the parameter node; `MedSegFMLib.mrml` does the work."""


class MedSegFMTest(ScriptedLoadableModuleTest):
    """The self test; see `MedSegFMPanel.self_test` for its checks."""

    def setUp(self):
        """Start with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run every check on a small phantom, each in an empty scene.

        The weights-free model needs nothing that Slicer lacks; the default model is tested too if
        it can run. Each message names the model that was used.
        """
        from MedSegFMPanel import self_test

        for model, checks in self_test.plan():
            self.model = model
            for check in checks:
                self.setUp()
                self.delayDisplay(f"{card(model).title}: {check.__doc__}")
                check(self)
        left_out = self_test.why_left_out(DEFAULT_MODEL)
        if left_out:
            self.delayDisplay(left_out)


def _register_effect():
    from SegmentEditorMedSegFMLib.registration import register

    register()


def _register_measurements():
    from MedSegFMPanel.segments.measuring import register

    register()


def _register_sample_data():
    from MedSegFMPanel.sample_data import register

    register()
