"""The segments of the objects: which segment shows which object, made and named as needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer

from ...volumes.geometry import Geometry
from .grid import GRID_PARAMETER, SegmentGrid
from .terminology import meaning_of


class Segments:
    """One segmentation node, and a segment of it for each object's label.

    Args:
        scene: The vtkMRMLScene.
        terminologies: Slicer's vtkSlicerTerminologiesModuleLogic; None if there is none.

    Attributes:
        node: The vtkMRMLSegmentationNode; None before one is needed.
        ids: The identifier of each object's segment, by label.
        was_removed: Set to True whenever a segment leaves the segmentation.
    """

    def __init__(self, scene: Any, terminologies: Any | None = None) -> None:
        self._scene = scene
        self._terminologies = terminologies
        self.node: Any | None = None
        self.ids: dict[int, str] = {}
        self.was_removed = False
        self._tag = 0
        # The names that objects had when their segments were last named: others may rename those.
        self._names: dict[int, str] = {}
        # The grid as it was made last, and what it was made from.
        self._grid: SegmentGrid | None = None
        self._grid_source: tuple[object, ...] = ()

    def use(self, node: Any | None) -> None:
        """Put objects into another segmentation node; None: into a new one when one is needed."""
        if self.node is not None:
            self.node.RemoveObserver(self._tag)
        self.node = node
        self.ids = {}
        self.was_removed = False
        self._names = {}
        self._grid = None
        if node is not None:
            self._tag = node.AddObserver(slicer.vtkSegmentation.SegmentRemoved, self._on_removed)

    def ensure_node(self, volume_node: Any) -> Any:
        """The segmentation node; a missing one is made beside the volume, under its transform."""
        if self.node is None:
            name = f"{volume_node.GetName()} segmentation"
            node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
            node.CreateDefaultDisplayNodes()
            parent = volume_node.GetParentTransformNode()
            if parent is not None:
                node.SetAndObserveTransformNodeID(parent.GetID())
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
            ids, names = self.ids, self._names
            self.use(node)
            self.ids, self._names = ids, names
        return self.node

    def grid(self, volume: Geometry) -> SegmentGrid:
        """The grid of the segmentation, made again only if it or the volume's has changed.

        Raises:
            GeometryError: If the segmentation is under a non-linear transform.
        """
        node: Any = self.node
        parent = node.GetParentTransformNode()
        source = (
            node.GetSegmentation().GetConversionParameter(GRID_PARAMETER),
            None if parent is None else parent.GetID(),
            None if parent is None else parent.GetTransformToWorldMTime(),
        )
        if self._grid is None or self._grid_source != (volume, *source):
            self._grid = SegmentGrid.of(node, volume)
            stored = node.GetSegmentation().GetConversionParameter(GRID_PARAMETER)
            self._grid_source = (volume, stored, *source[1:])
        return self._grid

    def ensure_all(self, volume_node: Any, objects: Iterable[tuple[int, str]]) -> None:
        """Make sure that the segmentation and the segments of all objects are there."""
        self.ensure_node(volume_node)
        for label, name in objects:
            self.ensure(label, name)

    def ensure(self, label: int, name: str) -> str:
        """The identifier of an object's segment, made with terminology and colour if needed.

        A segment that once was the object's and came back gets its identifier again. An existing
        one is renamed if the object was.
        """
        segmentation = self.node.GetSegmentation()  # type: ignore[union-attr]
        known = self.ids.get(label, "")
        if not known or segmentation.GetSegment(known) is None:
            self.ids[label] = segmentation.AddEmptySegment(known, name)
            self._describe(self.ids[label], name)
        elif self._names.get(label, name) != name:
            self.rename(label, name)
        self._names[label] = name
        return self.ids[label]

    def rename(self, label: int, name: str) -> None:
        """Name an object's segment and describe it by that name."""
        segment = self._segment(label)
        if segment is not None:
            segment.SetName(name)
            self._describe(self.ids[label], name)

    def take_names(self) -> dict[int, str]:
        """The names that others gave to objects' segments since the last call, by label."""
        found = {}
        for label, known in self._names.items():
            segment = self._segment(label)
            if segment is not None and segment.GetName() != known:
                found[label] = str(segment.GetName())
        self._names |= found
        return found

    def release(self, label: int) -> None:
        """Let go of a segment that stays in the scene; the next object of this label gets another.

        The identifier of a segment that is gone is kept.
        """
        if self._segment(label) is not None:
            del self.ids[label]
            self._names.pop(label, None)

    def follow(self, before_id: str | None, now_id: str | None) -> None:
        """Move the segmentation with the volume from one transform node to another.

        It keeps its place if it was not under the volume's transform.
        """
        if self.node is not None and self.node.GetTransformNodeID() == before_id:
            self.node.SetAndObserveTransformNodeID(now_id)

    def is_there(self, label: int) -> bool:
        """Whether the segment of this label is in the segmentation."""
        return self._segment(label) is not None

    def is_missing(self, label: int) -> bool:
        """Whether an object had a segment that was deleted."""
        return label in self.ids and self._segment(label) is None

    def is_visible(self, label: int) -> bool:
        """Whether an object has a segment and the views show it."""
        if self._segment(label) is None:
            return False
        display = self.node.GetDisplayNode()  # type: ignore[union-attr]
        if display is None:
            return True
        return bool(display.GetVisibility() and display.GetSegmentVisibility(self.ids[label]))

    def remove(self, label: int) -> None:
        """Delete an object's segment; its identifier is kept for when it comes back."""
        if self._segment(label) is not None:
            self.node.GetSegmentation().RemoveSegment(self.ids[label])  # type: ignore[union-attr]

    def _segment(self, label: int) -> Any | None:
        if self.node is None or label not in self.ids:
            return None
        return self.node.GetSegmentation().GetSegment(self.ids[label])

    def _describe(self, segment_id: str, name: str) -> None:
        segment = self.node.GetSegmentation().GetSegment(segment_id)  # type: ignore[union-attr]
        meaning = meaning_of(name, self._terminologies)
        segment.SetTerminology(meaning.entry)
        if meaning.color_rgb is not None:
            segment.SetColor(*meaning.color_rgb)

    def _on_removed(self, *_: object) -> None:
        self.was_removed = True
