"""A volume as the foreground of the slice views, and the user's own restored afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..nodes.hidden_nodes import is_in
from ..nodes.while_saving import quietly

# What a view showed before is kept in its own node: so it is known as well if a script saved the
# scene meanwhile, which no event announces.
_ROLE, _OPACITY = "MedSegFM.Foreground", "MedSegFM.ForegroundOpacity"


@dataclass(frozen=True)
class _GivenBack:
    """A view's state before it was given back.

    Attributes:
        view: The composite node.
        volume_id: The foreground; None if that is the user's own.
        opacity: Its opacity.
    """

    view: Any
    volume_id: str | None
    opacity: float


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
        self._given_back: list[_GivenBack] = []

    def show(self, node_id: str) -> None:
        """Put a volume into the views that have not had it since the last `restore`."""
        for view in self._views():
            if view.GetAttribute(_OPACITY) is None:
                _enter(view, node_id, self._opacity)

    def restore(self, node_id: str) -> None:
        """Restore what the views showed before that show this volume."""
        for view in self._views():
            if view.GetAttribute(_OPACITY) is not None:
                _leave(view, node_id)

    def give_back(self, node_id: str) -> None:
        """Restore it quietly, also that the views have had the volume."""
        self._given_back = []
        for view in self._views():
            if view.GetAttribute(_OPACITY) is None:
                continue
            shown = view.GetForegroundVolumeID() == node_id
            opacity = float(view.GetForegroundOpacity())
            self._given_back.append(_GivenBack(view, node_id if shown else None, opacity))
            with quietly(view):
                _leave(view, node_id)

    def take_up(self) -> None:
        """Show again what `give_back` has found."""
        given_back, self._given_back = self._given_back, []
        for found in given_back:
            if not is_in(self._scene, found.view):
                continue
            with quietly(found.view):
                if found.volume_id is None:
                    found.view.SetAttribute(_OPACITY, str(found.opacity))
                else:
                    _enter(found.view, found.volume_id, found.opacity)

    def _views(self) -> list[Any]:
        name = "vtkMRMLSliceCompositeNode"
        count = self._scene.GetNumberOfNodesByClass(name)
        return [self._scene.GetNthNodeByClass(n, name) for n in range(count)]


def _enter(view: Any, node_id: str, opacity: float) -> None:
    view.SetNodeReferenceID(_ROLE, view.GetForegroundVolumeID())
    view.SetAttribute(_OPACITY, str(view.GetForegroundOpacity()))
    view.SetForegroundVolumeID(node_id)
    view.SetForegroundOpacity(opacity)


def _leave(view: Any, node_id: str) -> None:
    if view.GetForegroundVolumeID() in (node_id, None):
        before = view.GetNodeReference(_ROLE)
        view.SetForegroundVolumeID(None if before is None else before.GetID())
        view.SetForegroundOpacity(float(view.GetAttribute(_OPACITY)))
    view.RemoveAttribute(_OPACITY)
    view.SetNodeReferenceID(_ROLE, None)
