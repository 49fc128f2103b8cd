"""The volume that is segmented, and what others do to it, to the segments and to the scene."""

from __future__ import annotations

from typing import Any

from ..errors import MedSegFMError, PromptError
from ..volumes.io.settling import with_finite_values
from ..volumes.volume import Volume
from .consistency.tracker import ConsistencyTracker
from .interaction import Interaction
from .nodes.image_set import images_stamp, joined_images, with_images
from .nodes.scene_observer import SceneObserver
from .nodes.volume_nodes import content_stamp, volume_from_node
from .prompts.view import PromptView
from .requests.request_queue import RequestQueue
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .updates import PromptsChanged, Update, VolumeGone, Warned
from .workspace import Workspace


class SceneFollower:
    """Follows a volume that may be chosen anew, moved, altered, deleted or closed meanwhile.

    Args:
        scene: The vtkMRMLScene.
        workspace: The present work.
        interaction: Changes the prompts.
        view: The markups of the prompts.
        segments: The segments of the objects.
        writer: Writes answers into them.
        queue: Takes the requests.
        consistency: Measures the agreement of the planes.
        updates: Gets what the user should see.

    Attributes:
        observer: Notes what others do to the scene.
    """

    def __init__(
        self,
        scene: Any,
        workspace: Workspace,
        interaction: Interaction,
        view: PromptView,
        segments: Segments,
        writer: SegmentWriter,
        queue: RequestQueue,
        consistency: ConsistencyTracker,
        updates: list[Update],
    ) -> None:
        self._workspace = workspace
        self._interaction = interaction
        self._view = view
        self._segments = segments
        self._writer = writer
        self._queue = queue
        self._consistency = consistency
        self._updates = updates
        self._volume_gone = False
        self.observer = SceneObserver(scene, self._on_close, self._on_removed, self._on_save)

    def set_volume(self, node: Any | None) -> None:
        """Segment another volume; see `SegmentationLogic.set_volume`."""
        volume = None if node is None else self._checked_volume(node)
        self._interaction.take_edits()
        self.leave()
        self._volume_gone = False
        self._watch(node)
        self._workspace.use_voxels(node, volume)
        if volume is not None:
            self._take_up(None)
        self._consistency.measure()
        self._updates.append(PromptsChanged())

    def open_segmentation(self, node: Any | None) -> None:
        """Go on in another segmentation; see `SegmentationLogic.open_segmentation`."""
        self._interaction.take_edits()
        self.leave()
        if node is not None:
            self._take_up(node)
            if self._segments.node is not node:
                self._segments.use(node)
        self._consistency.measure()
        self._updates.append(PromptsChanged())

    def follow(self) -> None:
        """Follow what others did since the last call."""
        observer = self.observer
        observer.has_changes = False
        if self._volume_gone:
            self._volume_gone = False
            self.leave()
            observer.watch_volume()
            self._updates += [VolumeGone(), PromptsChanged()]
        if observer.imported:
            observer.imported = False
            self._consistency.mend()
            if self._workspace.volume_node is None:
                self._resume_scene()
        self._interaction.take_edits()
        if observer.volume_changed and self._workspace.volume_node is not None:
            observer.volume_changed = False
            self._reread_volume(self._workspace.volume_node)
        if self._segments.was_removed:
            self._segments.was_removed = False
            self._drop_missing()

    def leave(self) -> None:
        """Put the present work down: it stays in the scene as it is."""
        self._workspace.store()
        self._queue.drop()
        self._consistency.forget()
        self._view.clear()
        self._writer.overlay.clear()
        self._workspace.clear()

    def close(self) -> None:
        """Store the work and stop observing the scene."""
        self._workspace.store()
        self.observer.close()
        self._consistency.forget()
        self._view.clear()
        self._writer.overlay.clear()

    def _take_up(self, segmentation_node: Any | None) -> None:
        """Take up what the scene has for the volume and this segmentation; None: for any."""
        try:
            stored = self._workspace.read_stored(self._workspace.volume_node, segmentation_node)
            if stored is None:
                return
            answered = self._workspace.take_up(stored)
            # From now on it is the latest, in the scene and in the autosave.
            self._workspace.store()
            if not answered:
                # It was put down, saved or moved before its answer came.
                self._interaction.show_present()
        except PromptError as error:
            self._updates.append(Warned(str(error)))

    def _drop_missing(self) -> None:
        """Remove the objects whose segments were deleted."""
        prompts = self._workspace.prompts
        missing = [n for n in prompts.labels if self._segments.is_missing(n)]
        for label in missing:
            prompts = prompts.without_object(label)
            self._writer.lose(label)
        if missing:
            self._workspace.history.change(prompts)
            self._interaction.show_present()

    def _checked_volume(self, node: Any) -> Volume:
        """The volume of a node with finite values; others are reported."""
        volume = self._finite_volume(node)
        volume.intensity_range()
        try:
            whole = with_images(node, volume, self._finite_volume)
            whole.intensity_range()
        except MedSegFMError as error:
            # The volume itself can be segmented all the same.
            self._updates.append(Warned(str(error)))
            return volume
        return whole

    def _finite_volume(self, node: Any) -> Volume:
        volume, note = with_finite_values(volume_from_node(node), f"the volume {node.GetName()}")
        if note:
            self._updates.append(Warned(f"The volume {node.GetName()} {note}."))
        return volume

    def _watch(self, node: Any | None) -> None:
        images = [] if node is None else [n for n in joined_images(node).values() if n is not node]
        self.observer.watch_volume(*([] if node is None else [node, *images]))

    def _reread_volume(self, node: Any) -> None:
        workspace = self._workspace
        before, parent_before = workspace.geometry, workspace.parent_id
        try:
            volume = volume_from_node(node)
            in_place = before is not None and before.matches(volume.geometry)
            workspace.parent_id = node.GetTransformNodeID()
            same_voxels = content_stamp(node) == workspace.stamp
            same_images = images_stamp(node) == workspace.images_stamp
            if workspace.volume is not None and in_place and same_voxels and same_images:
                return
            self._watch(node)
            volume = self._checked_volume(node)
        except MedSegFMError as error:
            self._queue.drop()
            self._consistency.forget()
            workspace.volume = None
            self._updates.append(Warned(str(error)))
            return
        self._consistency.forget()
        workspace.use_voxels(node, volume)
        # If the voxels changed too, it is not known which of them went where.
        if before is not None and same_voxels and workspace.carry_prompts(before):
            self._segments.follow(parent_before, workspace.parent_id)
        self._writer.forget_remembered()
        self._interaction.show_present()

    def _on_removed(self, node_id: str) -> None:
        self._view.note_removed(node_id)
        workspace = self._workspace
        node = workspace.volume_node
        if node is not None and any(i.GetID() == node_id for i in joined_images(node).values()):
            self.observer.volume_changed = self.observer.has_changes = True
        if workspace.volume_node is not None and node_id == workspace.volume_node.GetID():
            self._queue.drop()
            workspace.volume_node = workspace.volume = None
            self._volume_gone = self.observer.has_changes = True
        elif self._segments.node is not None and node_id == self._segments.node.GetID():
            # The prompts stay; the next change makes a new segmentation for them.
            self._queue.drop()
            self._segments.use(None)
            self._writer.forget()

    def _on_save(self) -> None:
        self._interaction.take_edits()
        self._workspace.store()

    def _on_close(self) -> None:
        self._queue.drop()
        self._consistency.forget()
        self._view.forget()
        self._writer.overlay.forget()
        self._workspace.clear()
        self._workspace.use_voxels(None, None)
        self.observer.watch_volume()
        self._updates += [VolumeGone(), PromptsChanged()]

    def _resume_scene(self) -> None:
        """Go on with what a scene holds that was loaded."""
        try:
            stored = self._workspace.read_stored()
            if stored is not None and stored.volume_node is not None:
                self.set_volume(stored.volume_node)
        except MedSegFMError as error:
            self._updates.append(Warned(str(error)))
