"""The fill of one segment, hidden while something below it must be visible."""

from __future__ import annotations

from typing import Any

from vtkmodules.vtkCommonCore import mutable

from ..nodes.hidden_nodes import is_in

# The fill as it was is kept with the segment: so it is known as well where the scene was saved
# meanwhile and is loaded again.
_TAG = "MedSegFM.Fill"


class SegmentFill:
    """Draws at most one segment without its fill in the slice views; its outline stays.

    A fill that the user has set since stays. A fill that another object of this class has hidden is
    restored by that one.

    Args:
        scene: The vtkMRMLScene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._hollow: tuple[Any, str] | None = None

    def hollow(self, segmentation_node: Any, segment_id: str) -> None:
        """Hide the fill of a segment, and restore that of the segment before."""
        if self._hollow == (segmentation_node, segment_id):
            return
        self.restore()
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        display = segmentation_node.GetDisplayNode()
        if segment is None or display is None or segment.HasTag(_TAG):
            return
        segment.SetTag(_TAG, str(display.GetSegmentOpacity2DFill(segment_id)))
        display.SetSegmentOpacity2DFill(segment_id, 0.0)
        self._hollow = (segmentation_node, segment_id)

    def restore(self) -> None:
        """Restore the fill of the segment."""
        hollow, self._hollow = self._hollow, None
        if hollow is not None and is_in(self._scene, hollow[0]):
            _fill(*hollow)

    def mend(self) -> None:
        """Restore the fill in a scene that was loaded and had been saved while it was hidden."""
        name = "vtkMRMLSegmentationNode"
        for n in range(self._scene.GetNumberOfNodesByClass(name)):
            node = self._scene.GetNthNodeByClass(n, name)
            for segment_id in node.GetSegmentation().GetSegmentIDs():
                if self._hollow != (node, segment_id):
                    _fill(node, segment_id)


def _fill(segmentation_node: Any, segment_id: str) -> None:
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    display = segmentation_node.GetDisplayNode()
    if segment is None or not segment.HasTag(_TAG):
        return
    stored = mutable("")
    segment.GetTag(_TAG, stored)
    segment.RemoveTag(_TAG)
    if display is not None and display.GetSegmentOpacity2DFill(segment_id) == 0.0:
        display.SetSegmentOpacity2DFill(segment_id, float(str(stored)))
