"""The present piece of work: what it consists of, and how it is put down, taken up and saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import MedSegFMError, PromptError, VolumeError
from ..prompts.edits import carrier
from ..prompts.history import PromptHistory
from ..prompts.prompt_list import PromptList
from ..registry import MODELS
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .autosave import Autosave, Snapshot
from .prompts.storage import PromptStorage, Stored
from .prompts.view import PromptView
from .requests.client import Client
from .requests.request_queue import Background, SharedClient
from .requests.requests import Asking
from .scene_state import SceneState
from .segments.change_overlay import ChangeOverlay
from .segments.export import add_labelmap_node, labels_of_segments
from .segments.grid import give_grid
from .segments.masking import Overwrite
from .segments.replacements import TakingState
from .segments.segments import Segments
from .updates import Update, Warned

_SAME_CORNER_MM = 0.01


class Work:
    """A volume, the prompts for its objects, their segments, and the model that is asked.

    See `logic.SegmentationLogic` for the arguments.
    """

    def __init__(
        self,
        scene: Any,
        client: Client,
        application_logic: Any | None = None,
        terminologies: Any | None = None,
        autosave: Autosave | None = None,
    ) -> None:
        self._scene = scene
        self._shared = SharedClient(client)
        self._asking = Asking(self._shared)
        self._autosave = autosave
        self._storage = PromptStorage(scene)
        self._history = PromptHistory()
        self._updates: list[Update] = []
        self._unsaved = False
        self._stamp = 0
        # Where the voxels stood that the prompts were placed on, and under which transform node.
        self._stood: Geometry | None = None
        self._parent_id: str | None = None
        self.view = PromptView(scene)
        self.overlay = ChangeOverlay(scene)
        self.segments = Segments(scene, terminologies)
        self._state = TakingState(scene, self.segments, self.overlay, application_logic)
        self.volume_node: Any | None = None
        self.volume: Volume | None = None
        self.current_label = 1

    @property
    def prompts(self) -> PromptList:
        """The objects and their prompts as they stand."""
        return self._history.present

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._history.can_undo or self._state.takes.can_undo(self.prompts)

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone and nothing changed since."""
        return self._history.can_redo or self._state.takes.can_redo(self.prompts)

    @property
    def is_predicting(self) -> bool:
        """Whether an answer to the present prompts is awaited."""
        return self._asking.awaited is not None

    @property
    def model(self) -> str:
        """The name of the model that predicts."""
        return self._asking.model

    @property
    def background(self) -> Background:
        """The worker as others may use it while nothing is asked of it here."""
        return self._shared.background

    @property
    def device(self) -> str:
        """Where the model is asked to run."""
        return self._asking.device

    @property
    def overwrite(self) -> Overwrite | None:
        """Which segments lose voxels to an answer: see `SegmentState`."""
        return self._state.overwrite

    @overwrite.setter
    def overwrite(self, mode: Overwrite | None) -> None:
        self._state.overwrite = mode

    def labels(self) -> Volume:
        """All objects in one volume on the segmentation's grid; write it with `Volume.write`.

        Raises MaskError where there is no object.
        """
        ids = {n: self.segments.ids[n] for n in self.prompts.labels if n in self.segments.ids}
        grid = self.segments.grid(self._chosen().geometry) if ids else None
        return labels_of_segments(self.segments.node, grid, ids)  # type: ignore[arg-type]

    def export_labelmap(self, name: str = "MedSegFM labels") -> Any:
        """A new labelmap volume node with all objects."""
        return add_labelmap_node(self._scene, self.labels(), name)

    def snapshot(self) -> Snapshot | None:
        """What an autosave holds now; None where no volume is chosen or nothing was done."""
        if self.volume is None or self.volume_node is None or self.segments.node is None:
            return None
        geometry = self.volume.geometry
        contents = self._state.contents(geometry, self.prompts.labels)
        grid = self.segments.grid(geometry).geometry
        return Snapshot(self._scene_state(), self.volume_node.GetName(), grid, contents)

    def recover(self, snapshot: Snapshot) -> None:
        """Take up what an autosave holds, into a new segmentation of the chosen volume.

        Raises PromptError where it was saved for a volume with another grid.
        """
        geometry, state = self._chosen().geometry, snapshot.state
        saved = state.geometry or snapshot.grid
        if not geometry.matches(saved, tolerance_mm=0.01):
            raise PromptError(
                f"The saved work is of the volume {snapshot.volume_name} with {saved.shape_kji} "
                f"voxels (k, j, i), the chosen one has {geometry.shape_kji} or stands elsewhere; "
                "choose that volume first."
            )
        self._leave()
        node = self.segments.ensure_node(self.volume_node)
        give_grid(node, snapshot.grid)
        self._adopt(SceneState(state.prompts, state.model, state.seed, {}, {}), node)
        self._state.put(self.volume_node, geometry, snapshot.segments)
        self._state.held = dict(state.holdings)
        self._state.remember(self.model, self.prompts)
        self._store()

    def _chosen(self) -> Volume:
        if self.volume is None and self.volume_node is not None:
            raise VolumeError(
                f"The volume {self.volume_node.GetName()} cannot be segmented as it is now; undo "
                "what was done to it, or choose another."
            )
        if self.volume is None:
            raise VolumeError("No volume is chosen; load or choose one first.")
        return self.volume

    def _leave(self) -> None:
        """Put the present work down: it stays in the scene as it is."""
        self._store()
        self._asking.drop()
        self.view.clear()
        self.overlay.clear()
        self.segments.use(None)
        self._state.forget()
        self._history = PromptHistory()
        self.current_label = 1

    def _resume(self, stored: Stored | None) -> bool:
        """Take up a stored state; whether the volume was moved since, and the prompts with it."""
        if stored is None:
            return False
        self._adopt(stored.state, stored.segmentation_node)
        before = stored.state.geometry
        if before is None or _fill_the_same_space(before, self._chosen().geometry):
            return False
        return self._carry_prompts(before)

    def _carry_prompts(self, before: Geometry) -> bool:
        """Keep all prompts on their tissue where the volume has moved since it stood `before`."""
        now = self._chosen().geometry
        if before.shape_kji != now.shape_kji or before.matches(now):
            return False
        self._history.replace_all(carrier(now.ijk_to_ras @ np.linalg.inv(before.ijk_to_ras)))
        self.view.show(self.prompts)
        return True

    def _adopt(self, state: SceneState, segmentation_node: Any | None) -> None:
        if state.model in MODELS:
            self._asking.model = state.model
        else:
            self._updates.append(
                Warned(
                    f"The prompts were made with the model '{state.model}', which is not here; "
                    f"{self.model} goes on with them."
                )
            )
        self._history = PromptHistory(state.prompts)
        self.current_label = max(state.prompts.labels, default=1)
        self.segments.use(segmentation_node)
        if segmentation_node is not None:
            self.segments.ids = dict(state.segment_ids)
            lost = [n for n in state.prompts.labels if self.segments.is_missing(n)]
            self._state.held = {n: h for n, h in state.holdings.items() if n not in lost}
            for label, name in state.prompts.objects:
                self.segments.ensure(label, name)
            if not lost:
                self._state.remember(self.model, state.prompts)
        self.view.show(self.prompts)

    def _scene_state(self) -> SceneState:
        ids: Mapping[int, str] = self.segments.ids
        seed = int(self._asking.options.get("seed", 0))
        return SceneState(self.prompts, self.model, seed, ids, self._state.held, self._stood)

    def _store(self) -> None:
        worked = bool(self.prompts.objects) or self.can_undo
        if self.volume_node is not None and worked:
            self._storage.write(self._scene_state(), self.volume_node, self.segments.node)
            self._unsaved = True

    def _save_now_and_then(self) -> None:
        if self._autosave is None or not self._unsaved or not self._autosave.is_due():
            return
        self._unsaved = False
        try:
            snapshot = self.snapshot()
            sentence = None if snapshot is None else self._autosave.save(snapshot)
        except MedSegFMError as error:
            sentence = str(error)
        if sentence is not None:
            self._updates.append(Warned(sentence))


def _fill_the_same_space(first: Geometry, second: Geometry) -> bool:
    """Whether two grids have the same corners: files may hold the axes of one volume reversed."""
    corners = [grid.ras_from_ijk(grid.corners_ijk()) for grid in (first, second)]
    gaps = np.linalg.norm(corners[0][:, None] - corners[1], axis=2)
    return bool(gaps.min(axis=1).max() < _SAME_CORNER_MM)
