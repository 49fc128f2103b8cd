"""Our measurements as a plugin of Slicer's Segment Statistics: those of `medsegfm measure`."""

import slicer
from SegmentStatistics import SegmentStatisticsPluginBase
from slicer.i18n import tr as _

from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.mrml.results.measured import COLUMNS, measured


class MedSegFMMeasurementsPlugin(SegmentStatisticsPluginBase):
    """Volume, surface, diameters and intensities as this extension's command line gives them."""

    def __init__(self):
        super().__init__()
        self.name = "MedSegFM"
        self.title = _("MedSegFM")
        self.keys = [column.key for column in COLUMNS]
        self.defaultKeys = list(self.keys)

    def computeStatistics(self, segmentID):
        """The requested measurements of a segment; those that it does not have are left out."""
        scene, parameters = slicer.mrmlScene, self.getParameterNode()
        wanted = self.getRequestedKeys()
        segmentation_node = scene.GetNodeByID(parameters.GetParameter("Segmentation"))
        volume_node = scene.GetNodeByID(parameters.GetParameter("ScalarVolume") or "")
        if not wanted or segmentation_node is None:
            return {}
        try:
            found = measured(segmentation_node, segmentID, volume_node)
        except MedSegFMError:
            # Surfaces, and volumes that cannot be measured: an empty row.
            return {}
        return {key: value for key, value in found.items() if key in wanted}

    def getMeasurementInfo(self, key):
        """The name, title, description and unit of a measurement; None if it is not of ours."""
        for column in COLUMNS:
            if column.key == key:
                return {
                    "name": column.key,
                    "title": _(column.title),
                    "description": _(column.description),
                    "units": column.unit,
                }
        return None
