"""Each plane's own outline of the object in the slice views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ...drawing.consistency_figure import PLANE_COLOURS
from ...volumes.region import Region
from ..nodes.hidden_nodes import add_display, add_helper, is_in, remove
from ..segments.model_voxels import tight
from ..segments.oriented_images import Mask, image_from_mask

# The figure's colours as (R, G, B), 0 to 1.
PLANE_COLORS = {
    name: tuple(int(color[n : n + 2], 16) / 255 for n in (1, 3, 5))
    for name, color in PLANE_COLOURS.items()
}
_PIXELS = 2


class PlaneContours:
    """A segmentation of its own with a segment for each plane, drawn as outlines alone.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        node: The vtkMRMLSegmentationNode; None while nothing is shown.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.node: Any | None = None

    def show(self, volume_node: Any, region: Region, masks: Mapping[str, Mask]) -> None:
        """Show masks as outlines.

        Args:
            volume_node: The volume, whose grid the masks are on.
            region: The part of the volume that they cover.
            masks: bool, (K, J, I) of the region, by the plane's name.
        """
        if not is_in(self._scene, self.node):
            self._make()
        node = self.node
        assert node is not None, "it was just made"
        was_modified = node.StartModify()
        node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        node.GetSegmentation().RemoveAllSegments()
        matrix = vtkMatrix4x4()
        volume_node.GetIJKToRASMatrix(matrix)
        for plane, mask in masks.items():
            part = tight(mask, region)
            if part is not None:
                image = image_from_mask(part[1], part[0].start_kji, matrix)
                color = PLANE_COLORS[plane]
                node.AddSegmentFromBinaryLabelmapRepresentation(image, plane, color, plane)
        node.EndModify(was_modified)

    def clear(self) -> None:
        """Remove the outlines."""
        remove(self._scene, self.node)
        self.node = None

    def _make(self) -> None:
        self.node = add_helper(self._scene, "vtkMRMLSegmentationNode", "MedSegFM planes")
        display = add_display(self.node)
        display.SetVisibility3D(False)
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetOpacity2DOutline(1.0)
        display.SetSliceIntersectionThickness(_PIXELS)
