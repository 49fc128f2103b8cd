"""Observers of what others do to the scene; the logic reads their notes when it is pumped.

Callbacks run at once only before nodes go and before the scene is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from vtkmodules.util.misc import calldata_type
from vtkmodules.util.vtkConstants import VTK_OBJECT


class SceneObserver:
    """Observers on a scene, and on one volume node in it and the images joined to it.

    Args:
        scene: The vtkMRMLScene.
        on_close: Called when the scene begins to close.
        on_removed: Called with the identifier of each node that leaves the scene otherwise.
        on_save: Called before the scene is saved.

    Attributes:
        has_changes: Set to True with either of the following.
        volume_changed: Set to True when voxels, grid or transforms of the volume change.
        imported: Set to True when a scene was loaded or restored.
    """

    def __init__(
        self,
        scene: Any,
        on_close: Callable[[], None],
        on_removed: Callable[[str], None],
        on_save: Callable[[], None],
    ) -> None:
        self.has_changes = False
        self.volume_changed = False
        self.imported = False
        self._watched: list[tuple[Any, int]] = []
        self._scene = scene

        def removed(_caller: Any, _event: str, node: Any) -> None:
            if not scene.IsClosing():
                on_removed(node.GetID() or "")

        with_node = calldata_type(VTK_OBJECT)(removed)
        self._scene_tags = [
            scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, with_node),
            scene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, lambda *_: on_close()),
            scene.AddObserver(slicer.vtkMRMLScene.StartSaveEvent, lambda *_: on_save()),
            scene.AddObserver(slicer.vtkMRMLScene.EndImportEvent, self._on_imported),
            scene.AddObserver(slicer.vtkMRMLScene.EndRestoreEvent, self._on_imported),
        ]

    def watch_volume(self, *nodes: Any) -> None:
        """Note changes of the voxels, grids and transforms of a volume and its images, or none."""
        for node, tag in self._watched:
            node.RemoveObserver(tag)
        self._watched, self.volume_changed = [], False
        self._watched = [
            (node, node.AddObserver(event, self._on_volume))
            for node in nodes
            for event in (
                slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
                slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
                "ModifiedEvent",
            )
        ]

    def close(self) -> None:
        """Remove all observers."""
        self.watch_volume()
        for tag in self._scene_tags:
            self._scene.RemoveObserver(tag)
        self._scene_tags = []

    def _on_volume(self, *_: object) -> None:
        self.volume_changed = self.has_changes = True

    def _on_imported(self, *_: object) -> None:
        self.imported = self.has_changes = True
