"""Selecting in the table of prompts."""

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
            panel.logic.objects.select(label)
            place = getattr(prompt, "position_ras", None) or getattr(prompt, "center_ras", None)
            if place is not None:
                slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *place)
        panel.refresh()
