"""The images that are joined to the segmented volume, for models that take several."""

from __future__ import annotations

from typing import Any

from .nodes.image_set import are_resampled, join_image, joined_images, set_resampled
from .nodes.scene_observer import SceneObserver
from .workspace import Workspace


class ImageChoice:
    """Joins volume nodes to the segmented one.

    Args:
        workspace: The present work.
        observer: Notes that the volume has changed.
    """

    def __init__(self, workspace: Workspace, observer: SceneObserver) -> None:
        self._workspace = workspace
        self._observer = observer

    @property
    def by_name(self) -> dict[str, Any]:
        """The volume nodes that are joined as images of the volume; {} if none is."""
        node = self._workspace.volume_node
        return {} if node is None else joined_images(node)

    def join(self, name: str, node: Any | None) -> None:
        """Join a volume node to the volume as its image of a name.

        Args:
            name: A name of `volumes.images.image_names`.
            node: The volume node, which may be the volume's own; None for no image of the name.
        """
        volume_node = self._workspace.volume_node
        if volume_node is not None and self.by_name.get(name) is not node:
            join_image(volume_node, name, node)
            self._note_change()

    @property
    def are_resampled(self) -> bool:
        """Whether joined images on another grid are resampled to that of the volume."""
        node = self._workspace.volume_node
        return node is not None and are_resampled(node)

    @are_resampled.setter
    def are_resampled(self, on: bool) -> None:
        node = self._workspace.volume_node
        if node is not None and on != self.are_resampled:
            set_resampled(node, on)
            self._note_change()

    def _note_change(self) -> None:
        self._observer.volume_changed = self._observer.has_changes = True
