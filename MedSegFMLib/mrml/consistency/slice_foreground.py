"""A volume as the foreground of the slice views, and the user's own restored afterwards."""

from __future__ import annotations

from typing import Any

# What a view showed before is kept in its own node: so it is known as well where the scene was
# saved meanwhile and is loaded again.
_ROLE, _OPACITY = "MedSegFM.Foreground", "MedSegFM.ForegroundOpacity"


class SliceForeground:
    """Puts a volume into the foreground of all slice views, once in each.

    A foreground that the user has chosen since stays.

    Args:
        scene: The vtkMRMLScene.
        opacity: The foreground's opacity, 0 to 1.
    """

    def __init__(self, scene: Any, opacity: float) -> None:
        self._scene = scene
        self._opacity = opacity

    def show(self, node_id: str) -> None:
        """Put a volume into the views that have not had it since the last `restore`."""
        for view in self._views():
            if view.GetAttribute(_OPACITY) is None:
                view.SetNodeReferenceID(_ROLE, view.GetForegroundVolumeID())
                view.SetAttribute(_OPACITY, str(view.GetForegroundOpacity()))
                view.SetForegroundVolumeID(node_id)
                view.SetForegroundOpacity(self._opacity)

    def restore(self, node_id: str) -> None:
        """Restore what the views showed before that show this volume."""
        for view in self._views():
            opacity = view.GetAttribute(_OPACITY)
            if opacity is None:
                continue
            if view.GetForegroundVolumeID() in (node_id, None):
                before = view.GetNodeReference(_ROLE)
                view.SetForegroundVolumeID(None if before is None else before.GetID())
                view.SetForegroundOpacity(float(opacity))
            view.RemoveAttribute(_OPACITY)
            view.SetNodeReferenceID(_ROLE, None)

    def _views(self) -> list[Any]:
        name = "vtkMRMLSliceCompositeNode"
        count = self._scene.GetNumberOfNodesByClass(name)
        return [self._scene.GetNthNodeByClass(n, name) for n in range(count)]
