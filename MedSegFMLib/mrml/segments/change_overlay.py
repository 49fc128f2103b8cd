"""What the last step changed: voxels gained and lost, shown over the segments for a short while."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

import numpy as np

from .grid import SegmentGrid
from .model_voxels import tight
from .oriented_images import Mask
from .writer import Change

_GAINED, _LOST = (0.15, 0.95, 0.35), (0.95, 0.15, 0.75)


class ChangeOverlay:
    """A segmentation of its own with two segments, "added" and "removed".

    It is never saved, and disappears `seconds` after it was shown, at the next `expire`.
    """

    def __init__(
        self, scene: Any, seconds: float = 3.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._scene = scene
        self._seconds = seconds
        self._clock = clock
        self._shown_at = 0.0
        self.node: Any | None = None

    def show(self, segmentation_node: Any, grid: SegmentGrid, changes: Iterable[Change]) -> None:
        """Show the changes of all objects in place of those shown before."""
        self.clear()
        listed = list(changes)
        gained = _together(listed, grid, [change.added for change in listed])
        lost = _together(listed, grid, [change.removed for change in listed])
        if gained is None and lost is None:
            return
        node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "MedSegFM change")
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        node.CreateDefaultDisplayNodes()
        parent = segmentation_node.GetParentTransformNode()
        if parent is not None:
            node.SetAndObserveTransformNodeID(parent.GetID())
        for name, image, color in (("added", gained, _GAINED), ("removed", lost, _LOST)):
            if image is not None:
                node.AddSegmentFromBinaryLabelmapRepresentation(image, name, color, name)
        display = node.GetDisplayNode()
        if display is not None:
            display.SetSaveWithScene(False)
            display.SetVisibility3D(False)
            display.SetOpacity2DFill(0.6)
        self.node, self._shown_at = node, self._clock()

    def expire(self) -> None:
        """Take the overlay away when its time is over."""
        if self.node is not None and self._clock() - self._shown_at >= self._seconds:
            self.clear()

    def clear(self) -> None:
        """Take the overlay away now."""
        node, self.node = self.node, None
        if node is not None and self._scene.GetNodeByID(node.GetID()) is node:
            self._scene.RemoveNode(node)

    def forget(self) -> None:
        """The scene is closing and takes the overlay with it."""
        self.node = None


def _together(changes: list[Change], grid: SegmentGrid, masks: list[Mask]) -> Any | None:
    parts = [tight(m, c.region) for c, m in zip(changes, masks, strict=True)]
    found = [part for part in parts if part is not None]
    if not found:
        return None
    around = found[0][0].enclosing([region for region, _ in found])
    together = np.zeros(around.shape_kji, dtype=bool)
    for region, mask in found:
        together[region.relative_to(around).slices] |= mask
    return grid.image(together, around)
