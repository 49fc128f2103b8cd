"""Limits to what an edit may change: Slicer's masking settings, and locked segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import slicer

Overwrite = Literal["none", "visible", "all"]

_LOCKED_TAG = "MedSegFM.Locked"


@dataclass(frozen=True)
class Masking:
    """Limits to what a write may change.

    Attributes:
        overwrite: Which other segments lose the voxels that a segment gains.
        area: A vtkMRMLSegmentationNode.EditAllowed... value.
        area_segment_id: The segment that the area names.
        intensity: The lowest and the highest value of the volume at voxels that may be gained; None
            for any value.
    """

    overwrite: Overwrite = "none"
    area: int = slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    area_segment_id: str = ""
    intensity: tuple[float, float] | None = None

    def apply(self, node: Any) -> None:
        """Give these settings to a vtkMRMLSegmentEditorNode."""
        node.SetOverwriteMode(_modes()[self.overwrite])
        node.SetMaskMode(self.area)
        node.SetMaskSegmentID(self.area_segment_id)
        node.SetSourceVolumeIntensityMask(self.intensity is not None)
        if self.intensity is not None:
            node.SetSourceVolumeIntensityMaskRange(*self.intensity)


def masking_of(node: Any) -> Masking:
    """The settings that a vtkMRMLSegmentEditorNode holds."""
    modes = {value: name for name, value in _modes().items()}
    held = node.GetSourceVolumeIntensityMaskRange() if node.GetSourceVolumeIntensityMask() else None
    return Masking(
        modes[node.GetOverwriteMode()],
        node.GetMaskMode(),
        node.GetMaskSegmentID() or "",
        None if held is None else (held[0], held[1]),
    )


def segment_editor_masking(scene: Any, segmentation_node: Any) -> Masking | None:
    """The user's settings in the Segment Editor; None if it edits another segmentation."""
    node = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    if node is None or node.GetSegmentationNode() is not segmentation_node:
        return None
    return masking_of(node)


def is_locked(segmentation_node: Any, segment_id: str) -> bool:
    """Whether answers must not change a segment; one that is gone is not locked."""
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    return segment is not None and bool(segment.HasTag(_LOCKED_TAG))


def set_locked(segmentation_node: Any, segment_id: str, locked: bool) -> None:
    """Lock or unlock a segment; the lock is saved with the segmentation."""
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    if locked:
        segment.SetTag(_LOCKED_TAG, "1")
    else:
        segment.RemoveTag(_LOCKED_TAG)


def _modes() -> dict[Overwrite, int]:
    node = slicer.vtkMRMLSegmentEditorNode
    return {
        "none": node.OverwriteNone,
        "visible": node.OverwriteVisibleSegments,
        "all": node.OverwriteAllSegments,
    }
