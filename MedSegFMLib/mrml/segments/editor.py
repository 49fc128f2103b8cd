"""Slicer's own Segment Editor logic, with settings of ours that no other module sees."""

from __future__ import annotations

from typing import Any

import slicer

from ...volumes.region import Region
from .grid import SegmentGrid
from .masking import Masking
from .oriented_images import Mask

_TAG = "MedSegFM"


class SegmentEditor:
    """Adds voxels to segments and removes them; each write covers only the changed extent."""

    def __init__(self, scene: Any, application_logic: Any | None = None) -> None:
        self._scene = scene
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        if application_logic is not None:
            self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)

    def look_at(self, segmentation_node: Any, volume_node: Any) -> None:
        """Edit this segmentation; the volume is for the intensity mask."""
        node = self._node()
        if self._logic.GetSegmentEditorNode() is not node:
            self._logic.SetSegmentEditorNode(node)
        if self._logic.GetSegmentationNode() is not segmentation_node:
            self._logic.SetSegmentationNode(segmentation_node)
        if self._logic.GetSourceVolumeNode() is not volume_node:
            self._logic.SetSourceVolumeNode(volume_node)

    def add(
        self, grid: SegmentGrid, segment_id: str, voxels: Mask, region: Region, masking: Masking
    ) -> None:
        """Give a segment voxels of `region` as far as the masking lets them be changed."""
        node = self._logic.GetSegmentEditorNode()
        node.SetSelectedSegmentID(segment_id)
        masking.apply(node)
        self._modify(grid, segment_id, voxels, region, self._logic.ModificationModeAdd)
        Masking().apply(node)

    def remove(self, grid: SegmentGrid, segment_id: str, voxels: Mask, region: Region) -> None:
        """Take voxels of `region` from a segment; only voxels that answers put there are given."""
        Masking().apply(self._logic.GetSegmentEditorNode())
        self._modify(grid, segment_id, voxels, region, self._logic.ModificationModeRemove)

    def _modify(
        self, grid: SegmentGrid, segment_id: str, voxels: Mask, region: Region, mode: Any
    ) -> None:
        if voxels.any():
            image = grid.image(voxels, region)
            node = self._logic.GetSegmentationNode()
            self._logic.ModifySegmentByLabelmap(node, segment_id, image, mode, False, False)

    def _node(self) -> Any:
        found = self._scene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
        if found is None:
            found = slicer.vtkMRMLSegmentEditorNode()
            found.SetSingletonTag(_TAG)
            found.SetHideFromEditors(True)
            found.SetSaveWithScene(False)
            found = self._scene.AddNode(found)
        return found
