"""Slicer's own Segment Editor logic, with settings that no other module sees."""

from __future__ import annotations

from typing import Any

import slicer

from ...volumes.region import Region
from .grid import LABELMAP, SegmentGrid
from .masking import Masking, masking_of
from .oriented_images import Mask, grid_image

_TAG = "MedSegFM"


class SegmentEditor:
    """Adds voxels to segments and removes them; each write covers only the changed extent.

    Args:
        scene: The vtkMRMLScene.
        application_logic: Slicer's vtkMRMLApplicationLogic; None if there is none.
    """

    def __init__(self, scene: Any, application_logic: Any | None = None) -> None:
        self._scene = scene
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._segmentation_node: Any = None
        if application_logic is not None:
            self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)

    def look_at(self, segmentation_node: Any, volume_node: Any) -> None:
        """Edit this segmentation; the volume is for the intensity mask."""
        node = self._scene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = self._add_node()
        if self._logic.GetSegmentEditorNode() is not node:
            self._logic.SetSegmentEditorNode(node)
        if self._logic.GetSegmentationNode() is not segmentation_node:
            self._logic.SetSegmentationNode(segmentation_node)
        if self._logic.GetSourceVolumeNode() is not volume_node:
            self._logic.SetSourceVolumeNode(volume_node)
        self._segmentation_node = segmentation_node

    def add(
        self,
        grid: SegmentGrid,
        segment_id: str,
        voxels: Mask,
        region: Region,
        masking: Masking | None = None,
    ) -> None:
        """Give voxels of a region to a segment.

        Args:
            grid: The segmentation's grid.
            segment_id: The segment that gains them.
            voxels: bool, (K, J, I) of the region, one of them at least True.
            region: The part of the grid.
            masking: Limits to what may be changed; None for none.
        """
        self._prepare(masking or Masking(), segment_id)
        self._logic.ModifySegmentByLabelmap(
            self._segmentation_node,
            segment_id,
            grid_image(voxels, region, grid),
            self._logic.ModificationModeAdd,
            False,
            False,
        )

    def fill(self, grid: SegmentGrid, segment_id: str, voxels: Mask, region: Region) -> None:
        """Give an empty segment its voxels as an image of its own: ten times as quick as `add`."""
        segment = self._segmentation_node.GetSegmentation().GetSegment(segment_id)
        segment.SetLabelValue(1)
        segment.AddRepresentation(LABELMAP, grid_image(voxels, region, grid))

    def remove(self, grid: SegmentGrid, segment_id: str, voxels: Mask, region: Region) -> None:
        """Take voxels of a region, one at least, from a segment, past all masking."""
        self._prepare(Masking(), segment_id)
        self._logic.ModifySegmentByLabelmap(
            self._segmentation_node,
            segment_id,
            grid_image(voxels, region, grid),
            self._logic.ModificationModeRemove,
            False,
            False,
        )

    def _prepare(self, masking: Masking, segment_id: str) -> None:
        node = self._logic.GetSegmentEditorNode()
        node.SetSelectedSegmentID(segment_id)
        # Closing a scene resets the node to overwrite all segments.
        if masking != masking_of(node):
            masking.apply(node)

    def _add_node(self) -> Any:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(_TAG)
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        return self._scene.AddNode(node)
