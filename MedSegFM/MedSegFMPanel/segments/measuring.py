"""Measurements of segments by Slicer's module Segment Statistics, with a plugin of ours."""

import importlib.util
from functools import cache

import slicer
from slicer.i18n import tr as _

from MedSegFMLib.mrml.nodes.hidden_nodes import add_helper, remove

_TABLE = "MedSegFM.Measurements"


@cache
def is_there():
    """Whether this Slicer has the module Segment Statistics."""
    return importlib.util.find_spec("SegmentStatistics") is not None


def register():
    """Offer our measurements in Segment Statistics, in place of those of an earlier *Reload*."""
    if not is_there():
        return
    import SegmentStatistics

    from .statistics_plugin import MedSegFMMeasurementsPlugin

    plugins = SegmentStatistics.SegmentStatisticsLogic.registeredPlugins
    name = MedSegFMMeasurementsPlugin.__name__
    plugins[:] = [known for known in plugins if known.__name__ != name]
    SegmentStatistics.SegmentStatisticsLogic.registerPlugin(MedSegFMMeasurementsPlugin())


def measure(segmentation_node, volume_node):
    """Measure all segments and show the table; returns its vtkMRMLTableNode.

    Args:
        segmentation_node: The segmentation.
        volume_node: The volume whose values are measured.
    """
    import SegmentStatistics

    scene = slicer.mrmlScene
    logic = SegmentStatistics.SegmentStatisticsLogic()
    # The user's own settings in Segment Statistics stay as they are.
    settings = add_helper(scene, "vtkMRMLScriptedModuleNode", "MedSegFM measurements")
    try:
        logic.setParameterNode(settings)
        settings.SetParameter("Segmentation", segmentation_node.GetID())
        settings.SetParameter("ScalarVolume", volume_node.GetID())
        settings.SetParameter("visibleSegmentsOnly", str(False))
        for plugin in logic.plugins:
            name = type(plugin).__name__
            settings.SetParameter(f"{name}.enabled", str(name == "MedSegFMMeasurementsPlugin"))
        logic.computeStatistics()
        table = _table(segmentation_node)
        logic.exportToTable(table)
    finally:
        remove(scene, settings)
    logic.showTable(table)
    return table


def _table(segmentation_node):
    """The table of a segmentation, made if it is missing."""
    table = segmentation_node.GetNodeReference(_TABLE)
    if table is None:
        name = _("{name} measurements").format(name=segmentation_node.GetName())
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
        segmentation_node.SetNodeReferenceID(_TABLE, table.GetID())
    return table
