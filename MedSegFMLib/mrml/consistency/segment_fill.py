"""The fill of one segment, hidden while something below it must be visible."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from vtkmodules.vtkCommonCore import mutable

from ..nodes.hidden_nodes import is_in
from ..nodes.while_saving import quietly

# The fill as it was is kept with the opacities, in the display node: so it is known as well if a
# script saved the scene meanwhile, which no event announces. Followed by the segment's identifier.
_STORED = "MedSegFM.Fill."
# Versions before 0.3 kept it with the segment.
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
        self._given_back: tuple[Any, str] | None = None

    def hollow(self, segmentation_node: Any, segment_id: str) -> None:
        """Hide the fill of a segment, and restore that of the segment before."""
        if self._hollow == (segmentation_node, segment_id):
            return
        self.restore()
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        display = segmentation_node.GetDisplayNode()
        if segment is None or display is None or display.GetAttribute(_key(segment_id)):
            return
        _hide(display, segment_id)
        self._hollow = (segmentation_node, segment_id)

    def restore(self) -> None:
        """Restore the fill of the segment."""
        hollow, self._hollow = self._hollow, None
        if hollow is not None and is_in(self._scene, hollow[0]):
            _fill(*hollow)

    def give_back(self) -> None:
        """Restore the fill quietly, as the user sees it in another application."""
        hollow = self._hollow
        if hollow is None or not is_in(self._scene, hollow[0]):
            return
        display = hollow[0].GetDisplayNode()
        if display is not None and display.GetAttribute(_key(hollow[1])):
            with quietly(display):
                _fill(*hollow)
            self._given_back = hollow

    def take_up(self) -> None:
        """Hide the fill again."""
        given_back, self._given_back = self._given_back, None
        if given_back is not None and given_back == self._hollow:
            display = given_back[0].GetDisplayNode()
            with quietly(display):
                _hide(display, given_back[1])

    def mend(self) -> None:
        """Restore the fill in a scene that was loaded and had been saved while it was hidden."""
        name = "vtkMRMLSegmentationNode"
        for n in range(self._scene.GetNumberOfNodesByClass(name)):
            node = self._scene.GetNthNodeByClass(n, name)
            for segment_id in node.GetSegmentation().GetSegmentIDs():
                if self._hollow != (node, segment_id):
                    _fill(node, segment_id)


def _key(segment_id: str) -> str:
    """The name of the attribute; scene files allow no colon in it."""
    return _STORED + quote(segment_id, safe="")


def _hide(display: Any, segment_id: str) -> None:
    display.SetAttribute(_key(segment_id), str(display.GetSegmentOpacity2DFill(segment_id)))
    display.SetSegmentOpacity2DFill(segment_id, 0.0)


def _fill(segmentation_node: Any, segment_id: str) -> None:
    """Restore a fill if it was hidden and nobody has set it since."""
    display = segmentation_node.GetDisplayNode()
    if display is None:
        return
    stored = display.GetAttribute(_key(segment_id)) or _tagged(segmentation_node, segment_id)
    if not stored:
        return
    display.RemoveAttribute(_key(segment_id))
    if display.GetSegmentOpacity2DFill(segment_id) == 0.0:
        display.SetSegmentOpacity2DFill(segment_id, _opacity(stored))


def _opacity(stored: str) -> float:
    """The stored opacity; 1 if the scene was edited by hand."""
    try:
        return min(max(float(stored), 0.0), 1.0)
    except ValueError:
        return 1.0


def _tagged(segmentation_node: Any, segment_id: str) -> str:
    """What an earlier version stored; its tag is removed."""
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    stored = mutable("")
    if segment is None or not segment.HasTag(_TAG):
        return ""
    segment.GetTag(_TAG, stored)
    segment.RemoveTag(_TAG)
    return str(stored)
