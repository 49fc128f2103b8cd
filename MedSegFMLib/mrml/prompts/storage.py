"""The state of a segmentation in a text node of the scene: it is saved and loaded with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import PromptError
from ..scene_state import SceneState, state_from_json, state_to_json

_MARK = "MedSegFM.State"
_VOLUME, _SEGMENTATION = "MedSegFM.Volume", "MedSegFM.Segmentation"


@dataclass(frozen=True)
class Stored:
    """A state that a scene holds, with the volume and the segmentation it belongs to."""

    state: SceneState
    volume_node: Any | None
    segmentation_node: Any | None


class PromptStorage:
    """The text node of a segmentation; one for each volume and segmentation."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    def write(self, state: SceneState, volume_node: Any, segmentation_node: Any | None) -> None:
        """Put a state into the scene, in place of the one of the same volume and segmentation."""
        node = self._find(volume_node, segmentation_node)
        if node is None:
            node = self._scene.AddNewNodeByClass(
                "vtkMRMLTextNode", f"MedSegFM prompts of {volume_node.GetName()}"
            )
            node.SetAttribute(_MARK, "1")
            node.SetHideFromEditors(True)
            # Without a file of its own the text is in the scene file itself.
            node.SetForceCreateStorageNode(node.CreateStorageNodeNever)
        node.SetNodeReferenceID(_VOLUME, volume_node.GetID())
        segmentation_id = None if segmentation_node is None else segmentation_node.GetID()
        node.SetNodeReferenceID(_SEGMENTATION, segmentation_id)
        node.SetText(state_to_json(state))

    def read(self, volume_node: Any | None = None) -> Stored | None:
        """The state of a volume (None: the latest of any); None where there is none.

        Raises PromptError for a text that was altered or written by a later version.
        """
        nodes = [node for node in self._nodes() if _volume_of(node) is not None]
        if volume_node is not None:
            nodes = [node for node in nodes if _volume_of(node) is volume_node]
        if not nodes:
            return None
        node = nodes[-1]
        try:
            state = state_from_json(node.GetText() or "")
        except PromptError:
            # It stays in the scene for a version that can read it, out of the way of the next.
            node.SetAttribute(_MARK, "unreadable")
            raise
        return Stored(state, _volume_of(node), node.GetNodeReference(_SEGMENTATION))

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


def _volume_of(node: Any) -> Any | None:
    return node.GetNodeReference(_VOLUME)
