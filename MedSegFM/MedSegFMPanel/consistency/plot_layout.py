"""Slicer's layout with a plot view, while the chart of the planes' agreement is shown."""

import slicer

from MedSegFMLib.mrml.nodes.while_saving import quietly


class PlotLayout:
    """Shows a chart in Slicer's plot view, and restores layout and charts afterwards.

    A layout that the user has chosen since stays.
    """

    def __init__(self):
        self._chart = None
        # The layout before the chart was shown, and the one that shows it.
        self._before = self._shown = None
        # The chart that each node referred to before, by the node's identifier.
        self._charts_before = {}
        self._given_back = []

    def show(self, chart):
        """Show a chart; None for none."""
        if chart is None:
            self._hide()
        elif chart is not self._chart:
            present = _arrangement()
            if present != self._shown:
                self._before = present
                self._charts_before = {node.GetID(): id_ for node, _set, id_ in _references()}
            slicer.modules.plots.logic().ShowChartInLayout(chart)
            self._shown, self._chart = _arrangement(), chart

    def give_back(self):
        """Set layout and charts quietly to those before: the scene is being saved."""
        self._given_back = []
        if self._chart is None:
            return
        chart_id = self._chart.GetID()
        for node, setter, present in _references():
            if present == chart_id:
                _set(node, setter, self._charts_before.get(node.GetID()))
                self._given_back.append((node, setter, chart_id))
        layout = _layout()
        if layout is not None and layout.GetViewArrangement() == self._shown:
            _set(layout, layout.SetViewArrangement, self._before)
            self._given_back.append((layout, layout.SetViewArrangement, self._shown))

    def take_up(self):
        """Set them to those of the views again."""
        for node, setter, value in self._given_back:
            _set(node, setter, value)
        self._given_back = []

    def _hide(self):
        if self._before is not None and _arrangement() == self._shown:
            _layout().SetViewArrangement(self._before)
        self._chart = self._before = self._shown = None
        self._charts_before = {}


def _set(node, setter, value):
    with quietly(node):
        setter(value)


def _layout():
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def _arrangement():
    layout = _layout()
    return None if layout is None else layout.GetViewArrangement()


def _references():
    """The nodes that refer to the chart that is shown, how to set it, and its identifier."""
    selection = slicer.app.applicationLogic().GetSelectionNode()
    found = [(selection, selection.SetActivePlotChartID, selection.GetActivePlotChartID())]
    for n in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotViewNode")):
        view = slicer.mrmlScene.GetNthNodeByClass(n, "vtkMRMLPlotViewNode")
        found.append((view, view.SetPlotChartNodeID, view.GetPlotChartNodeID()))
    return found
