"""Stand-in for Slicer's module Segment Statistics: its rules for plugins, parameters and tables.

Its widgets are left out; of its own plugins only the count of voxels is here.
"""

import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic


class SegmentStatisticsPluginBase:
    """What plugins derive from: their keys are switched by parameters "Class.key.enabled"."""

    def __init__(self):
        self.name = self.title = ""
        self.keys, self.defaultKeys = [], []
        self.parameterNode = None

    def computeStatistics(self, segmentID):
        raise NotImplementedError

    def getMeasurementInfo(self, key):
        raise NotImplementedError

    def setDefaultParameters(self, parameterNode, overwriteExisting=False):
        _default(parameterNode, f"{type(self).__name__}.enabled", True)
        for key in self.keys:
            if overwriteExisting:
                parameterNode.UnsetParameter(f"{self.toLongKey(key)}.enabled")
            _default(parameterNode, f"{self.toLongKey(key)}.enabled", key in self.defaultKeys)

    def getRequestedKeys(self):
        node = self.parameterNode
        if not node:
            return ()
        return [k for k in self.keys if node.GetParameter(f"{self.toLongKey(k)}.enabled") == "True"]

    def toLongKey(self, key):
        return f"{type(self).__name__}.{key}"

    def toShortKey(self, key):
        prefix = f"{type(self).__name__}."
        return key[len(prefix) :] if key.startswith(prefix) else ""

    def setParameterNode(self, parameterNode):
        self.parameterNode = parameterNode
        if parameterNode:
            self.setDefaultParameters(parameterNode)
            # The check boxes of the module's widget ask for these.
            for key in self.keys:
                info = self.getMeasurementInfo(key)
                assert info is None or isinstance(info["name"], str), key

    def getParameterNode(self):
        return self.parameterNode


class LabelmapSegmentStatisticsPlugin(SegmentStatisticsPluginBase):
    """The number of voxels."""

    def __init__(self):
        super().__init__()
        self.name = self.title = "Labelmap"
        self.keys = self.defaultKeys = ["voxel_count"]

    def computeStatistics(self, segmentID):
        node = slicer.mrmlScene.GetNodeByID(self.parameterNode.GetParameter("Segmentation"))
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentID)
        return {"voxel_count": 0 if array is None else int((array > 0).sum())}

    def getMeasurementInfo(self, key):
        return {"name": "Voxel count", "title": "Voxel count", "description": "", "units": "voxels"}


class SegmentStatisticsLogic(ScriptedLoadableModuleLogic):
    """Computes what the enabled plugins of its parameter node give, and makes a table of it."""

    registeredPlugins = [LabelmapSegmentStatisticsPlugin]  # noqa: RUF012

    @staticmethod
    def registerPlugin(plugin):
        # An object, not a class: anything else is ignored without a word.
        if not isinstance(plugin, SegmentStatisticsPluginBase):
            return
        assert not any("." in key for key in plugin.keys), "keys must not contain a dot"
        if type(plugin) not in SegmentStatisticsLogic.registeredPlugins:
            SegmentStatisticsLogic.registeredPlugins.append(type(plugin))

    def __init__(self, parent=None):
        super().__init__(parent)
        self.plugins = [make() for make in SegmentStatisticsLogic.registeredPlugins]
        self.isSingletonParameterNode = False
        self.parameterNode = None
        self.reset()

    def getParameterNode(self):
        if not self.parameterNode:
            self.setParameterNode(super().getParameterNode())
        return self.parameterNode

    def setParameterNode(self, parameterNode):
        if self.parameterNode is parameterNode:
            return
        for plugin in self.plugins:
            plugin.setDefaultParameters(parameterNode)
        _default(parameterNode, "visibleSegmentsOnly", True)
        self.parameterNode = parameterNode
        for plugin in self.plugins:
            plugin.setParameterNode(parameterNode)

    def getStatistics(self):
        node = self.getParameterNode()
        if not hasattr(node, "statistics"):
            node.statistics = {"SegmentIDs": [], "MeasurementInfo": {}}
        return node.statistics

    def reset(self):
        self.keys = ["Segment", *(p.toLongKey(key) for p in self.plugins for key in p.keys)]
        self.getParameterNode().statistics = {"SegmentIDs": [], "MeasurementInfo": {}}

    def computeStatistics(self):
        """Measure under the transform of the segmentation, on a copy that is hardened."""
        self.reset()
        node, scene = self.getParameterNode(), slicer.mrmlScene
        segmentation = scene.GetNodeByID(node.GetParameter("Segmentation"))
        ids = list(segmentation.GetSegmentation().GetSegmentIDs())
        if node.GetParameter("visibleSegmentsOnly") == "True":
            display = segmentation.GetDisplayNode()
            ids = [name for name in ids if display.GetSegmentVisibility(name)]
        copy = None
        if segmentation.GetParentTransformNode() is not None:
            copy = slicer.vtkMRMLSegmentationNode()
            copy.Copy(segmentation)
            copy.HideFromEditorsOn()
            scene.AddNode(copy)
            copy.HardenTransform()
            node.SetParameter("Segmentation", copy.GetID())
        for segment_id in ids:
            self.updateStatisticsForSegment(segment_id)
        if copy is not None:
            node.SetParameter("Segmentation", segmentation.GetID())
            scene.RemoveNode(copy)

    def updateStatisticsForSegment(self, segmentID):
        node, found = self.getParameterNode(), self.getStatistics()
        segmentation = slicer.mrmlScene.GetNodeByID(node.GetParameter("Segmentation"))
        found["SegmentIDs"].append(segmentID)
        segment = segmentation.GetSegmentation().GetSegment(segmentID)
        found[segmentID, "Segment"] = segment.GetName()
        for plugin in self.plugins:
            if node.GetParameter(f"{type(plugin).__name__}.enabled") == "True":
                for key, value in plugin.computeStatistics(segmentID).items():
                    found[segmentID, plugin.toLongKey(key)] = value
                    info = plugin.getMeasurementInfo(key)
                    found["MeasurementInfo"][plugin.toLongKey(key)] = info

    def getNonEmptyKeys(self):
        found = self.getStatistics()
        return [key for key in self.keys if any((n, key) in found for n in found["SegmentIDs"])]

    def exportToTable(self, table, nonEmptyKeysOnly=True):
        assert table.IsA("vtkMRMLTableNode"), "a table node is needed"
        found = self.getStatistics()
        keys = self.getNonEmptyKeys() if nonEmptyKeysOnly else self.keys
        table.RemoveAllColumns()
        for key in keys:
            values = [found[n, key] for n in found["SegmentIDs"] if (n, key) in found]
            column = table.AddColumn(*_array_for(values))
            info = found["MeasurementInfo"].get(key) or {}
            column.SetName(info.get("name") or key)
            table.SetColumnUnitLabel(column.GetName(), info.get("units") or "")
        for segment_id in found["SegmentIDs"]:
            row = table.AddEmptyRow()
            for n, key in enumerate(keys):
                table.GetTable().GetColumn(n).SetValue(
                    row, found.get((segment_id, key), float("nan"))
                )
        table.Modified()

    def showTable(self, table):
        """Show it in a layout with a table, of which the host has none."""
        assert slicer.mrmlScene.GetNodeByID(table.GetID()) is table, "it is not in the scene"
        slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(table.GetID())
        slicer.app.applicationLogic().PropagateTableSelection()


def _array_for(values):
    """The column for values: whole numbers, other numbers, or text; no other type has one."""
    if values and type(values[0]) is int:
        return [vtk.vtkLongArray()]
    if values and type(values[0]) is float:
        return [vtk.vtkDoubleArray()]
    assert all(isinstance(value, str) for value in values), f"no column holds {values[:1]}"
    return []


def _default(node, name, value):
    if not node.GetParameter(name):
        node.SetParameter(name, str(value))
