"""The volume that is segmented, and what others do to it, to the segments and to the scene."""

from __future__ import annotations

from typing import Any

from ..errors import MedSegFMError, PromptError
from ..prompts.history import PromptHistory
from ..volumes.volume import Volume
from .autosave import Autosave
from .nodes.scene_observer import SceneWatch
from .nodes.volume_nodes import content_stamp, volume_from_node
from .requests.client import Client
from .steps import Steps
from .updates import PromptsChanged, VolumeGone, Warned


class SceneFollower(Steps):
    """Steps on a volume that may be chosen anew, moved, altered, deleted or closed meanwhile."""

    def __init__(
        self,
        scene: Any,
        client: Client,
        application_logic: Any | None = None,
        terminologies: Any | None = None,
        autosave: Autosave | None = None,
    ) -> None:
        super().__init__(scene, client, application_logic, terminologies, autosave)
        self._watch = SceneWatch(scene, self._on_close, self._on_removed)
        self._volume_gone = False

    def set_volume(self, node: Any | None) -> None:
        """Segment another volume; what was done on the present one stays in the scene.

        A state stored for the volume is taken up again. Raises VolumeError or GeometryError for a
        volume that cannot be segmented; the present one stays then.
        """
        volume = None if node is None else volume_from_node(node)
        if volume is not None:
            volume.intensity_range()
        self._take_edits()
        self._leave()
        self._volume_gone = False
        self.volume_node = node
        self._watch.watch_volume(node)
        self._use_voxels(node, volume)
        if volume is not None:
            try:
                if self._resume(self._storage.read(node)):
                    self._predict_anew()
            except PromptError as error:
                self._updates.append(Warned(str(error)))
        self._compare()
        self._updates.append(PromptsChanged())

    def _follow_scene(self) -> None:
        if self._volume_gone:
            self._volume_gone = False
            self._leave()
            self._watch.watch_volume(None)
            self._updates += [VolumeGone(), PromptsChanged()]
        if self._watch.imported:
            self._watch.imported = False
            self.consistency_view.mend()
            if self.volume_node is None:
                self._resume_scene()
        self._take_edits()
        if self._watch.volume_changed and self.volume_node is not None:
            self._watch.volume_changed = False
            self._reread_volume(self.volume_node)
        missing = [n for n in self.prompts.labels if self.segments.is_missing(n)]
        prompts = self.prompts
        for label in missing:
            prompts = prompts.without_object(label)
            self._state.held.pop(label, None)
        if missing:
            self._history.change(prompts)
            self._present_changed()

    def _reread_volume(self, node: Any) -> None:
        before, parent_before = self._stood, self._parent_id
        try:
            volume = volume_from_node(node)
            in_place = before is not None and before.matches(volume.geometry)
            self._parent_id = node.GetTransformNodeID()
            same_voxels = content_stamp(node) == self._stamp
            if self.volume is not None and in_place and same_voxels:
                return
            volume.intensity_range()
        except MedSegFMError as error:
            self._asking.drop()
            self._forget_comparison()
            self.volume = None
            self._updates.append(Warned(str(error)))
            return
        self._use_voxels(node, volume)
        # Where the voxels are others too it is not known which of them went where.
        if before is not None and same_voxels and self._carry_prompts(before):
            self.segments.follow(parent_before, self._parent_id)
        self._state.forget_remembered()
        self._present_changed()

    def _use_voxels(self, node: Any | None, volume: Volume | None) -> None:
        """See the voxels as they are and where they stand now."""
        self._forget_comparison()
        self.volume = volume
        self._stood = None if volume is None else volume.geometry
        self._parent_id = None if node is None else node.GetTransformNodeID()
        self._stamp = 0 if node is None else content_stamp(node)
        if volume is not None:
            self._asking.set_volume(volume)

    def _on_removed(self, node_id: str) -> None:
        self.view.note_removed(node_id)
        if self.volume_node is not None and node_id == self.volume_node.GetID():
            self._asking.drop()
            self.volume_node = self.volume = None
            self._volume_gone = True
        elif self.segments.node is not None and node_id == self.segments.node.GetID():
            # The prompts stay; the next change makes a new segmentation for them.
            self._asking.drop()
            self.segments.use(None)
            self._state.forget()

    def _on_close(self) -> None:
        self._asking.drop()
        self._forget_comparison()
        self.view.forget()
        self.overlay.forget()
        self.segments.use(None)
        self._state.forget()
        self._history = PromptHistory()
        self.volume_node = self.volume = None
        self._watch.watch_volume(None)
        self._updates += [VolumeGone(), PromptsChanged()]

    def _resume_scene(self) -> None:
        """After a scene was loaded: go on with what it holds."""
        try:
            stored = self._storage.read()
            if stored is not None and stored.volume_node is not None:
                self.set_volume(stored.volume_node)
        except MedSegFMError as error:
            self._updates.append(Warned(str(error)))
