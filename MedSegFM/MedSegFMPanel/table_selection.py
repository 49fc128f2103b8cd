"""What the user chooses or renames in the tables of segments and prompts."""

import slicer


class Selection:
    """Brings the scene logic to what is chosen in a table.

    panel: the `Panel`, whose logic and way of showing errors are used.
    """

    def __init__(self, panel):
        self._panel = panel

    def take_prompt(self, index):
        """A prompt was chosen: its segment becomes the current one, the views go there."""
        panel = self._panel
        if index is not None:
            label, prompt = panel.logic.prompts.entries[index]
            panel.logic.select(label)
            place = getattr(prompt, "position_ras", None) or getattr(prompt, "center_ras", None)
            if place is not None:
                slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *place)
        panel.refresh()

    def take_segment(self, segment_id):
        """A segment was chosen: it becomes the current one."""
        panel = self._panel
        panel.attempt(panel.logic.select, self._label(segment_id))

    def rename_segment(self, segment_id, name):
        """A name was typed; an empty one changes nothing."""
        panel = self._panel
        if name.strip():
            panel.attempt(panel.logic.rename, self._label(segment_id), name.strip())
        else:
            panel.refresh()

    def _label(self, segment_id):
        ids = self._panel.logic.segments.ids
        return next(n for n, known in ids.items() if known == segment_id)
