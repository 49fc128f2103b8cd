"""The results of a comparison of models in the slice views: a colour for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ..nodes.hidden_nodes import add_display, add_helper, is_in, remove
from ..segments.model_voxels import ModelVoxels
from ..segments.oriented_images import image_from_mask

# Okabe and Ito's colours, told apart by colour-blind eyes too, without those too dark for an image.
# (R, G, B), 0 to 1.
MODEL_COLORS = (
    (0.90, 0.62, 0.00),
    (0.34, 0.71, 0.91),
    (0.80, 0.47, 0.65),
    (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.84, 0.37, 0.00),
)
_PIXELS = 2
_FILL = 0.25


class ModelOutlines:
    """A segmentation for each model, with a segment for each object; none of it is saved.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        nodes: The vtkMRMLSegmentationNode of each model that has answered, by the model's name.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._shown: dict[str, Mapping[int, ModelVoxels]] = {}
        self.nodes: dict[str, Any] = {}

    def show(
        self,
        volume_node: Any,
        model: str,
        title: str,
        color: Sequence[float],
        masks: Mapping[int, ModelVoxels],
    ) -> None:
        """Show a model's answers; nothing is done twice.

        Args:
            volume_node: The volume, whose grid the masks are on.
            model: The model's name.
            title: The model's title.
            color: Its colour, red, green and blue from 0 to 1.
            masks: The voxels of each object, by label.
        """
        node: Any = self.nodes.get(model)
        if is_in(self._scene, node) and self._shown.get(model) is masks:
            return
        if not is_in(self._scene, node):
            node = self.nodes[model] = self._make(title)
        was_modified = node.StartModify()
        node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        node.GetSegmentation().RemoveAllSegments()
        matrix = vtkMatrix4x4()
        volume_node.GetIJKToRASMatrix(matrix)
        for label, mask in masks.items():
            image = image_from_mask(mask.mask_kji, mask.region.start_kji, matrix)
            name = str(label)
            node.AddSegmentFromBinaryLabelmapRepresentation(image, title, tuple(color), name)
        node.EndModify(was_modified)
        self._shown[model] = masks

    def place(self, model: str, view_ids: Sequence[str], fill: bool) -> None:
        """Draw a model in some views.

        Args:
            model: The model's name.
            view_ids: The views; none for all views.
            fill: Whether it is drawn with a light fill, not as outlines alone.
        """
        node: Any = self.nodes.get(model)
        if not is_in(self._scene, node):
            return
        display = node.GetDisplayNode()
        was_modified = display.StartModify()
        display.RemoveAllViewNodeIDs()
        for view_id in view_ids:
            display.AddViewNodeID(view_id)
        display.SetVisibility2DFill(fill)
        display.EndModify(was_modified)

    def show_label(self, label: int) -> None:
        """Draw one object of all models, and hide the others."""
        for node in self.nodes.values():
            if is_in(self._scene, node):
                display = node.GetDisplayNode()
                for segment_id in node.GetSegmentation().GetSegmentIDs():
                    display.SetSegmentVisibility(segment_id, segment_id == str(label))

    def set_visible(self, model: str, visible: bool) -> None:
        """Show or hide a model."""
        node: Any = self.nodes.get(model)
        if is_in(self._scene, node):
            node.GetDisplayNode().SetVisibility(visible)

    def clear(self) -> None:
        """Remove everything from the scene."""
        remove(self._scene, *self.nodes.values())
        self.nodes, self._shown = {}, {}

    def _make(self, title: str) -> Any:
        node = add_helper(self._scene, "vtkMRMLSegmentationNode", f"Comparison: {title}")
        display = add_display(node)
        display.SetVisibility3D(False)
        display.SetVisibility2DOutline(True)
        display.SetOpacity2DOutline(1.0)
        display.SetOpacity2DFill(_FILL)
        display.SetSliceIntersectionThickness(_PIXELS)
        return node
