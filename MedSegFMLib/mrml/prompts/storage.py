"""The state of a segmentation in a text node of the scene: it is saved and loaded with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import PromptError
from ..nodes.hidden_nodes import add_helper
from ..scene_state import SceneState, state_from_json

_MARK = "MedSegFM.State"
_ORDER = "MedSegFM.Order"
_VOLUME, _SEGMENTATION = "MedSegFM.Volume", "MedSegFM.Segmentation"


@dataclass(frozen=True)
class Stored:
    """A state that a scene holds, with the volume and the segmentation it belongs to."""

    state: SceneState
    volume_node: Any | None
    segmentation_node: Any | None


class PromptStorage:
    """The text nodes of segmentations, one for each pair of volume and segmentation.

    Args:
        scene: The vtkMRMLScene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    def node_for(self, volume_node: Any, segmentation_node: Any | None) -> Any:
        """The text node of a volume and a segmentation, from now on the latest; made if missing."""
        node = self._find(volume_node, segmentation_node)
        if node is None:
            name = f"MedSegFM prompts of {volume_node.GetName()}"
            node = add_helper(self._scene, "vtkMRMLTextNode", name, saved=True)
            node.SetAttribute(_MARK, "1")
            # Without a file of its own the text is in the scene file itself.
            node.SetForceCreateStorageNode(node.CreateStorageNodeNever)
        latest = max(map(_order, self._nodes()))
        if _order(node) < latest or not latest:
            node.SetAttribute(_ORDER, str(latest + 1))
        node.SetNodeReferenceID(_VOLUME, volume_node.GetID())
        segmentation_id = None if segmentation_node is None else segmentation_node.GetID()
        node.SetNodeReferenceID(_SEGMENTATION, segmentation_id)
        return node

    def read(
        self, volume_node: Any | None = None, segmentation_node: Any | None = None
    ) -> Stored | None:
        """Read the state of a volume.

        Args:
            volume_node: The volume; None for that of the latest state. Of several states of a
                volume, the latest is read.
            segmentation_node: The segmentation that the state has to be for; None for any.

        Returns:
            The state; None if the scene has none.

        Raises:
            PromptError: If the text was altered, or written by a later version.
        """
        nodes = [node for node in self._nodes() if _volume_of(node) is not None]
        if volume_node is not None:
            nodes = [node for node in nodes if _volume_of(node) is volume_node]
        if segmentation_node is not None:
            nodes = [n for n in nodes if n.GetNodeReference(_SEGMENTATION) is segmentation_node]
        if not nodes:
            return None
        # Of those that earlier versions wrote the last one.
        node = max(reversed(nodes), key=_order)
        try:
            state = state_from_json(node.GetText() or "")
        except PromptError:
            # It stays in the scene for a version that can read it, out of the way of the next.
            node.SetAttribute(_MARK, "unreadable")
            raise
        return Stored(state, _volume_of(node), node.GetNodeReference(_SEGMENTATION))

    def forget(self, volume_node: Any) -> None:
        """Remove the states of a volume, which is about to leave the scene, from the scene."""
        for node in self._nodes():
            if _volume_of(node) is volume_node:
                self._scene.RemoveNode(node)

    def _find(self, volume_node: Any, segmentation_node: Any | None) -> Any | None:
        for node in self._nodes():
            segmentation = node.GetNodeReference(_SEGMENTATION)
            if _volume_of(node) is volume_node and segmentation in (None, segmentation_node):
                return node
        return None

    def _nodes(self) -> list[Any]:
        count = self._scene.GetNumberOfNodesByClass("vtkMRMLTextNode")
        nodes = (self._scene.GetNthNodeByClass(n, "vtkMRMLTextNode") for n in range(count))
        return [node for node in nodes if node.GetAttribute(_MARK) == "1"]


def _order(node: Any) -> int:
    text = node.GetAttribute(_ORDER) or ""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _volume_of(node: Any) -> Any | None:
    return node.GetNodeReference(_VOLUME)
