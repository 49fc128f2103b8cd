"""Keeps Slicer's Segment Editor and the scene logic on the same segmentation and segment."""

from __future__ import annotations

from typing import Any

import slicer

from ..errors import MedSegFMError
from .logic import SegmentationLogic

# The Segment Editor module's own settings, which each editor of it in the application shares.
_TAG = "SegmentEditor"


class SegmentEditorLink:
    """Follows the selection in the Segment Editor, and has the editor follow the scene logic.

    It compares both from time to time, so that nothing happens inside an event of the scene.

    Args:
        scene: The vtkMRMLScene.
        logic: The scene logic.
    """

    def __init__(self, scene: Any, logic: SegmentationLogic) -> None:
        self._scene = scene
        self._logic = logic
        # What both had selected when they agreed last.
        self._agreed: tuple[Any, str] = (None, "")

    def node(self) -> Any:
        """The vtkMRMLSegmentEditorNode that the Segment Editor module uses, made if missing."""
        node = self._scene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(_TAG)
            node = self._scene.AddNode(node)
        return node

    def follow(self) -> str | None:
        """Bring both to what was selected last; of two changes the user's in the editor counts.

        Returns:
            A sentence if the editor's selection was refused; the editor is brought back then.
        """
        logic = self._logic
        if logic.volume is None or self._scene.IsBatchProcessing():
            return None
        logic.objects.take_names()
        refused = None
        chosen, own = self._in_editor(), self._in_logic()
        # If work goes on elsewhere, as in a scene that was loaded, the editor follows.
        stays = own[0] is self._agreed[0]
        if stays and chosen[0] is not None and chosen not in (self._agreed, own):
            try:
                self._bring_logic(*chosen)
            except MedSegFMError as error:
                refused = str(error)
        self._bring_editor()
        self._agreed = self._in_logic()
        return refused

    def _in_editor(self) -> tuple[Any, str]:
        node = self.node()
        segmentation_node = node.GetSegmentationNode()
        segment_id = node.GetSelectedSegmentID() or ""
        if segmentation_node is None or not _has(segmentation_node, segment_id):
            segment_id = ""
        return segmentation_node, segment_id

    def _in_logic(self) -> tuple[Any, str]:
        segment_id = self._logic.objects.current_segment
        segmentation_node = self._logic.segments.node
        if segmentation_node is None or not _has(segmentation_node, segment_id):
            segment_id = ""
        return segmentation_node, segment_id

    def _bring_logic(self, segmentation_node: Any, segment_id: str) -> None:
        logic = self._logic
        opened = segmentation_node is not logic.segments.node
        if opened:
            logic.open_segmentation(segmentation_node)
        # The editor selects the first segment by itself where work goes on with another one.
        if segment_id and not (opened and logic.prompts.objects):
            logic.objects.choose(segment_id)

    def _bring_editor(self) -> None:
        node = self.node()
        segmentation_node, segment_id = self._in_logic()
        if node.GetSegmentationNode() is not segmentation_node:
            node.SetAndObserveSegmentationNode(segmentation_node)
        if segmentation_node is not None:
            if node.GetSourceVolumeNode() is not self._logic.volume_node:
                node.SetAndObserveSourceVolumeNode(self._logic.volume_node)
            if (node.GetSelectedSegmentID() or "") != segment_id:
                node.SetSelectedSegmentID(segment_id)


def _has(segmentation_node: Any, segment_id: str) -> bool:
    segmentation = segmentation_node.GetSegmentation()
    return bool(segment_id) and segmentation.GetSegment(segment_id) is not None
