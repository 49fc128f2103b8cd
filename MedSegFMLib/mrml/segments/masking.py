"""What an edit may touch: Slicer's masking settings, and locked segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import slicer

Overwrite = Literal["none", "visible", "all"]

_LOCKED_TAG = "MedSegFM.Locked"


@dataclass(frozen=True)
class Masking:
    """How a write treats the rest of the scene.

    overwrite: which other segments lose the voxels that a segment gains.
    area: a vtkMRMLSegmentationNode.EditAllowed... value; area_segment_id: the segment it names.
    intensity: the lowest and highest value of the volume where voxels may be gained, or None.
    """

    overwrite: Overwrite = "none"
    area: int = slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    area_segment_id: str = ""
    intensity: tuple[float, float] | None = None

    def apply(self, node: Any) -> None:
        """Set a vtkMRMLSegmentEditorNode so."""
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
    """What the user set in the Segment Editor, where that edits this segmentation."""
    node = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    if node is None or node.GetSegmentationNode() is not segmentation_node:
        return None
    return masking_of(node)


def is_locked(segmentation_node: Any, segment_id: str) -> bool:
    """Whether answers must leave a segment as it is; a segment that is gone is not locked."""
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
