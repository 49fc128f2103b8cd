"""The effect "MedSegFM": the prompts of the module for the segment that the editor has selected.

Slicer runs this file by itself, without its package: it imports by full names only.
"""

import qt
import slicer
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _

_LOOK_MILLISECONDS = 200
# The text of each button, and the button of the module's panel that it stands for.
_BUTTONS = (
    (_("Box"), "boxButton"),
    (_("+ Click"), "positiveButton"),
    (_("− Click"), "negativeButton"),
    (_("Undo"), "undoButton"),
    (_("Redo"), "redoButton"),
)


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    """Clicks the buttons of the module's panel, which does all the work."""

    def __init__(self, scriptedEffect):
        scriptedEffect.name = "MedSegFM"
        scriptedEffect.title = "MedSegFM"
        # The first prompt begins a segment if none is selected.
        scriptedEffect.requireSegments = False
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self._buttons = {}

    def clone(self):
        """Another effect like this; each editor has its own."""
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        cloned = effects.qSlicerSegmentEditorScriptedEffect(None)
        cloned.setPythonSource(__file__.replace("\\", "/"))
        return cloned

    def icon(self):
        """The module's icon."""
        return qt.QIcon(slicer.modules.medsegfm.path.replace("MedSegFM.py", _ICON))

    def helpText(self):
        """The text above the options."""
        return _(
            "Refine the selected segment with prompts: draw a box around the object or click on "
            "it, and on what is wrong. A segment from anywhere is a start; Undo brings it back."
        )

    def setupOptionsFrame(self):
        """Make the buttons; Slicer calls it once."""
        row = qt.QWidget()
        layout = qt.QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        for text, name in _BUTTONS:
            button = qt.QPushButton(text)
            button.connect("clicked(bool)", lambda _on, name=name: self._click(name))
            layout.addWidget(button)
            self._buttons[name] = button
        self._message = qt.QLabel()
        self._message.wordWrap = True
        open_button = qt.QPushButton(_("All of MedSegFM"))
        open_button.toolTip = _("Choose the model and see all prompts in the module")
        open_button.connect("clicked(bool)", lambda _on: slicer.util.selectModule("MedSegFM"))
        for widget in (row, self._message, open_button):
            self.scriptedEffect.addOptionsWidget(widget)
        self._timer = qt.QTimer()
        self._timer.setInterval(_LOOK_MILLISECONDS)
        self._timer.connect("timeout()", self.updateGUIFromMRML)

    def activate(self):
        """Let the module work on what the editor shows."""
        node = self.scriptedEffect.parameterSetNode()
        _panel().work_in_editor(node.GetSourceVolumeNode())
        self._timer.start()
        self.updateGUIFromMRML()

    def deactivate(self):
        """Draw nothing any more."""
        self._timer.stop()
        _panel().place_mode.stop()

    def interactionNodeModified(self, interactionNode):
        """Stay active while a prompt is drawn, which is done in Slicer's place mode."""

    def updateGUIFromMRML(self):
        """Show what the module's panel shows."""
        if not self._buttons:
            return
        ui = _panel().ui
        for name, button in self._buttons.items():
            button.enabled = getattr(ui, name).enabled
        said = ui.statusLabel.text or ui.segmentHint.text
        self._message.text = "\n".join(filter(None, (said, ui.promptHint.text)))

    def _click(self, name):
        getattr(_panel().ui, name).click()
        self.updateGUIFromMRML()


_ICON = "Resources/Icons/MedSegFM.png"


def _panel():
    """The panel of the module, which is made if it was never shown."""
    return slicer.util.getModuleWidget("MedSegFM").panel
