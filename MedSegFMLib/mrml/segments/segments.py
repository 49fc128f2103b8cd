"""The segments of the objects: which segment shows which object, made and named as needed."""

from __future__ import annotations

from typing import Any

from ...volumes.geometry import Geometry
from .grid import SegmentGrid
from .terminology import meaning_of


class Segments:
    """One segmentation node, and a segment of it for each object's label."""

    def __init__(self, scene: Any, terminologies: Any | None = None) -> None:
        self._scene = scene
        self._terminologies = terminologies
        self.node: Any | None = None
        self.ids: dict[int, str] = {}
        # The names that objects had when their segments were last named: others may rename those.
        self._names: dict[int, str] = {}

    def use(self, node: Any | None) -> None:
        """Put objects into another segmentation node; None: into a new one when one is needed."""
        self.node = node
        self.ids = {}
        self._names = {}

    def ensure_node(self, volume_node: Any) -> Any:
        """The segmentation node, made beside the volume and under its transform where none is."""
        if self.node is None:
            name = f"{volume_node.GetName()} segmentation"
            node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
            node.CreateDefaultDisplayNodes()
            parent = volume_node.GetParentTransformNode()
            if parent is not None:
                node.SetAndObserveTransformNodeID(parent.GetID())
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
            self.node = node
        return self.node

    def grid(self, volume: Geometry) -> SegmentGrid:
        """The grid of the segmentation; GeometryError where it stands under a bent transform."""
        return SegmentGrid.of(self.node, volume)

    def ensure(self, label: int, name: str) -> str:
        """The identifier of an object's segment, made with its terminology and colour if needed.

        A segment that once was the object's and came back gets its identifier again. One that is
        there is renamed where the object was.
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

    def release(self, label: int) -> None:
        """Let go of a segment that stays in the scene; the next object of this label gets another.

        Where there is none its identifier is kept.
        """
        if self._segment(label) is not None:
            del self.ids[label]
            self._names.pop(label, None)

    def follow(self, before_id: str | None, now_id: str | None) -> None:
        """The volume went from one transform node to another; the segmentation goes with it.

        It stays where it is if it did not stand under the volume's.
        """
        if self.node is not None and self.node.GetTransformNodeID() == before_id:
            self.node.SetAndObserveTransformNodeID(now_id)

    def is_there(self, label: int) -> bool:
        """Whether the segment of this label is in the segmentation."""
        return self._segment(label) is not None

    def is_missing(self, label: int) -> bool:
        """Whether an object had a segment, and somebody deleted it."""
        return label in self.ids and self._segment(label) is None

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
