"""Selecting and renaming in the tables of segments and prompts."""

import slicer


class Selection:
    """Brings the scene logic to what is selected in a table.

    Args:
        panel: The `Panel`, whose logic is used and whose status line shows errors.
    """

    def __init__(self, panel):
        self._panel = panel

    def take_prompt(self, index):
        """Make the segment of the selected prompt the current one, and move the views there."""
        panel = self._panel
        if index is not None:
            label, prompt = panel.logic.prompts.entries[index]
            panel.logic.select(label)
            place = getattr(prompt, "position_ras", None) or getattr(prompt, "center_ras", None)
            if place is not None:
                slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *place)
        panel.refresh()

    def take_segment(self, segment_id):
        """Make the selected segment the current one."""
        panel = self._panel
        panel.attempt(panel.logic.select, self._label(segment_id))

    def rename_segment(self, segment_id, name):
        """Give a segment the typed name; an empty one changes nothing."""
        panel = self._panel
        if name.strip():
            panel.attempt(panel.logic.rename, self._label(segment_id), name.strip())
        else:
            panel.refresh()

    def _label(self, segment_id):
        ids = self._panel.logic.segments.ids
        return next(n for n, known in ids.items() if known == segment_id)
