"""Connects widgets and the parameters they show, for as long as both exist."""

import vtk


class ParameterLink:
    """Connects one parameter node at a time; between two scenes widgets keep their values.

    Args:
        ui: The named widgets of the panel.
        changed: Called when a parameter has changed.
    """

    def __init__(self, ui, changed):
        self._ui, self._changed = ui, changed
        self._parameters = self._tags = None

    def use(self, parameters):
        """Show these parameters, in place of those before."""
        if parameters is self._parameters:
            return
        self.end()
        # Some versions of Slicer return nothing here; a first connection has number 0.
        gui_tag = parameters.connectGui(self._ui) or 0
        tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._changed())
        self._parameters, self._tags = parameters, (tag, gui_tag)

    def end(self):
        """Show no parameters any more."""
        if self._parameters is not None:
            tag, gui_tag = self._tags
            self._parameters.RemoveObserver(tag)
            self._parameters.disconnectGui(gui_tag)
            self._parameters = None
