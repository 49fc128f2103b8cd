"""The section "Segments": Slicer's own segment editor on the segments that prompts are for."""

import slicer

from MedSegFMLib.mrml.segment_editor_link import SegmentEditorLink
from MedSegFMLib.mrml.segments.masking import is_locked, set_locked
from MedSegFMLib.mrml.words import messages

# Slicer's tools to correct segments by hand; the others are in the Segment Editor module.
_EFFECTS = ["Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing", "Threshold"]
_UNDO_STATES = 10


class SegmentSection:
    """Embeds the segment editor and keeps its selection and the scene logic's the same.

    It shares the settings of the Segment Editor module, so that segmentation, selected segment and
    masking are the same in both. Only one of the two may listen to them: effects work twice else.

    Args:
        panel: The `Panel`.
    """

    def __init__(self, panel):
        self._panel, self._ui = panel, panel.ui
        self._editor = editor = panel.ui.segmentEditor
        self._link = SegmentEditorLink(slicer.mrmlScene, panel.logic)
        editor.setMaximumNumberOfUndoStates(_UNDO_STATES)
        # The volume is chosen above, and the views stay as the user has them.
        editor.sourceVolumeNodeSelectorVisible = False
        editor.autoShowSourceVolumeNode = False
        editor.setEffectNameOrder(_EFFECTS)
        editor.unorderedEffectsVisible = False
        self._ui.lockSegment.connect("clicked(bool)", self._lock)
        self._is_open = False

    def use_scene(self):
        """Edit the segments of a scene that was opened; it may bring other settings."""
        if self._is_open:
            self._editor.setMRMLSegmentEditorNode(self._link.node())

    def leave_scene(self):
        """Let go of a scene that is about to close."""
        if self._is_open:
            self._editor.setActiveEffect(None)
            self._editor.setSegmentationNode(None)
            self._editor.removeViewObservations()

    def enter(self):
        """Take the tools over from the Segment Editor module: this module is shown."""
        self._is_open = True
        _release_segment_editor()
        # The settings have to be there before the scene.
        self._editor.setMRMLSegmentEditorNode(self._link.node())
        self._editor.setMRMLScene(slicer.mrmlScene)
        self._editor.installKeyboardShortcuts()

    def exit(self):
        """Let the Segment Editor module have the tools: another module is shown."""
        if not self._is_open:
            return
        self._is_open = False
        self._editor.setActiveEffect(None)
        self._editor.removeViewObservations()
        self._editor.uninstallKeyboardShortcuts()
        self._editor.setMRMLSegmentEditorNode(None)

    def close(self):
        """Let go of the settings and the scene: the module is unloaded."""
        self.exit()

    def follow(self):
        """Bring editor and scene logic to the same segment; the panel's timer calls it."""
        if self._panel.parameters is None:
            return
        logic = self._panel.logic
        before = (logic.segments.node, logic.objects.current_segment)
        refused = self._link.follow()
        if refused:
            self._panel.status.warn(refused)
        if refused or (logic.segments.node, logic.objects.current_segment) != before:
            self._panel.refresh()

    def show(self):
        """Bring the widgets around the editor to the present state."""
        ui, logic = self._ui, self._panel.logic
        node, segment_id = logic.segments.node, logic.objects.current_segment
        hint = messages.segment_hint(logic)
        ui.segmentHint.text, ui.segmentHint.visible = hint, bool(hint)
        is_there = node is not None and bool(segment_id)
        ui.lockSegment.enabled = is_there
        ui.lockSegment.checked = is_there and is_locked(node, segment_id)

    def _lock(self, on):
        logic = self._panel.logic
        set_locked(logic.segments.node, logic.objects.current_segment, on)
        self._panel.refresh()


def _release_segment_editor():
    """Have the Segment Editor module let go of its settings; it takes them again when entered."""
    module_widget = getattr(slicer.modules, "SegmentEditorWidget", None)
    if module_widget is not None:
        module_widget.editor.setMRMLSegmentEditorNode(None)
        module_widget.parameterSetNode = None
