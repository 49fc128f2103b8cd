"""Our volume as the slice views' foreground, and the user's own back afterwards."""

from __future__ import annotations

from typing import Any

# What a view showed before is kept in its own node: so it is known as well where the scene was
# saved meanwhile and is loaded again.
_ROLE, _OPACITY = "MedSegFM.Foreground", "MedSegFM.ForegroundOpacity"


class SliceForeground:
    """Puts a volume into the foreground of all slice views, once in each.

    Where the user has chosen another foreground since, that stays.
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
        """Give the views that show the volume what they showed before."""
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
