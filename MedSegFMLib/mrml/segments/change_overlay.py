"""An overlay of the voxels that the last step added and removed, shown for a few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

import numpy as np

from ...volumes.region import Region
from ..nodes.hidden_nodes import add_display, add_helper
from .grid import SegmentGrid
from .merger import Change
from .oriented_images import Mask, grid_image

_GAINED, _LOST = (0.15, 0.95, 0.35), (0.95, 0.15, 0.75)


class ChangeOverlay:
    """A segmentation of its own with two segments, "added" and "removed".

    It is never saved, and leaves the scene some seconds after it was shown, at the next `expire`.

    Args:
        scene: The vtkMRMLScene.
        seconds: How long it is shown.
        clock: Gives the time in seconds.

    Attributes:
        clock: As given.
        node: The vtkMRMLSegmentationNode; None while nothing is shown.
    """

    def __init__(
        self, scene: Any, seconds: float = 3.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._scene = scene
        self._seconds = seconds
        self.clock = clock
        self._shown_at = 0.0
        self.node: Any | None = None

    def show(self, segmentation_node: Any, grid: SegmentGrid, changes: Iterable[Change]) -> None:
        """Show the changes of all objects in place of those shown before."""
        listed = list(changes)
        gained = [(c.region, c.added) for c in listed if c.region is not None and c.added.any()]
        lost = [(c.region, c.removed) for c in listed if c.region is not None and c.removed.any()]
        if self.node is not None:
            self.node.GetSegmentation().RemoveAllSegments()
        if not gained and not lost:
            return
        node = self._node_under(segmentation_node)
        for name, parts, color in (("added", gained, _GAINED), ("removed", lost, _LOST)):
            if parts:
                region, mask = parts[0] if len(parts) == 1 else _together(parts)
                image = grid_image(mask, region, grid)
                node.AddSegmentFromBinaryLabelmapRepresentation(image, name, color, name)
        self._shown_at = self.clock()

    def expire(self) -> None:
        """Remove the overlay when its time is over."""
        if self.node is not None and self.clock() - self._shown_at >= self._seconds:
            self.clear()

    def clear(self) -> None:
        """Remove the overlay now."""
        node, self.node = self.node, None
        if node is not None and self._scene.GetNodeByID(node.GetID()) is node:
            self._scene.RemoveNode(node)

    def forget(self) -> None:
        """Let go of the node: the scene is closing and removes it."""
        self.node = None

    def _node_under(self, segmentation_node: Any) -> Any:
        """The overlay's node under the transform of a segmentation; it is used again if it can."""
        node = self.node
        if node is None or self._scene.GetNodeByID(node.GetID() or "") is not node:
            node = add_helper(self._scene, "vtkMRMLSegmentationNode", "MedSegFM change")
            display = add_display(node)
            display.SetVisibility3D(False)
            display.SetOpacity2DFill(0.6)
            self.node = node
        parent_id = segmentation_node.GetTransformNodeID()
        if node.GetTransformNodeID() != parent_id:
            node.SetAndObserveTransformNodeID(parent_id)
        return node


def _together(parts: list[tuple[Region, Mask]]) -> tuple[Region, Mask]:
    """Masks on several regions as one mask on the region around them."""
    around = Region.enclosing([region for region, _ in parts])
    mask = np.zeros(around.shape_kji, dtype=bool)
    for region, part in parts:
        mask[region.relative_to(around).slices] |= part
    return around, mask
