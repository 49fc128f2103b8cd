"""The present work: a volume, the prompts for its objects, and its state in the scene."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import PromptError, VolumeError
from ..prompts.edits import carrier
from ..prompts.history import PromptHistory
from ..prompts.prompt_list import PromptList
from ..registry import MODELS, card
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .autosave import Snapshot
from .nodes.image_set import Stamp, images_stamp
from .nodes.volume_nodes import content_stamp
from .prompts.storage import PromptStorage, Stored
from .prompts.view import PromptView
from .requests.request_queue import RequestQueue
from .scene_state import SceneState, state_to_json
from .segments.grid import give_grid
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .updates import Update, Warned

_SAME_CORNER_MM = 0.01


class Workspace:
    """A volume and the prompts for its objects, taken up from the scene and stored in it.

    Args:
        scene: The vtkMRMLScene.
        view: The markups of the prompts.
        segments: The segments of the objects.
        writer: Holds the voxels that segments have from answers.
        queue: Holds the model that answers.
        updates: Gets what the user should see.

    Attributes:
        volume_node, volume: The volume; the second is None while it cannot be segmented.
        current_label: The object that new prompts are for.
        chosen_segment: The identifier of the segment that new prompts are for while it is no
            object's; "" if they are for the current object.
        history: The states of the prompts, for undo and redo.
        geometry: The grid of the volume that the prompts were placed on; None without a volume.
        parent_id: The identifier of the volume's transform node; None if it has none.
        stamp: See `nodes.volume_nodes.content_stamp`.
        images_stamp: See `nodes.image_set.images_stamp`.
        is_unsaved: Whether the state was stored since the last autosave.
    """

    def __init__(
        self,
        scene: Any,
        view: PromptView,
        segments: Segments,
        writer: SegmentWriter,
        queue: RequestQueue,
        updates: list[Update],
    ) -> None:
        self._scene = scene
        self._view = view
        self._segments = segments
        self._writer = writer
        self._queue = queue
        self._updates = updates
        self._storage = PromptStorage(scene)
        # The text node that the state was stored in last, and the nodes it is for.
        self._text_node: Any = None
        self._stored_for: tuple[Any, Any] = (None, None)
        self.history = PromptHistory()
        self.volume_node: Any | None = None
        self.volume: Volume | None = None
        self.current_label = 1
        self.chosen_segment = ""
        self.geometry: Geometry | None = None
        self.parent_id: str | None = None
        self.stamp = 0
        self.images_stamp: Stamp = ()
        self.is_unsaved = False

    @property
    def prompts(self) -> PromptList:
        """The objects and their prompts."""
        return self.history.present

    def require_volume(self) -> Volume:
        """The volume.

        Raises:
            VolumeError: If no volume is chosen, or it cannot be segmented now.
        """
        if self.volume is None and self.volume_node is not None:
            raise VolumeError(
                f"The volume {self.volume_node.GetName()} cannot be segmented as it is now; undo "
                "what was done to it, or choose another."
            )
        if self.volume is None:
            raise VolumeError("No volume is chosen; load or choose one first.")
        return self.volume

    def select(self, label: int) -> None:
        """Make an object the one that new prompts are for."""
        self.current_label, self.chosen_segment = label, ""

    def use_voxels(self, node: Any | None, volume: Volume | None) -> None:
        """Use the current voxels and grid of a volume node."""
        self.volume_node, self.volume = node, volume
        self.geometry = None if volume is None else volume.geometry
        self.parent_id = None if node is None else node.GetTransformNodeID()
        self.stamp = 0 if node is None else content_stamp(node)
        self.images_stamp = () if node is None else images_stamp(node)
        if volume is not None:
            self._queue.set_volume(volume)

    def clear(self) -> None:
        """Begin with no prompts and no segmentation."""
        self._segments.use(None)
        self._writer.forget()
        self.history = PromptHistory()
        self.select(1)
        self._text_node = None

    def take_up(self, stored: Stored) -> bool:
        """Take up a stored state; returns whether the segments hold the answer to its prompts."""
        answered = self._adopt(stored.state, stored.segmentation_node)
        before = stored.state.geometry
        if before is None or _have_same_corners(before, self.require_volume().geometry):
            return answered
        if not self.carry_prompts(before):
            return answered
        self._writer.forget_remembered()
        return not self.prompts.entries

    def read_stored(
        self, volume_node: Any | None = None, segmentation_node: Any | None = None
    ) -> Stored | None:
        """The state that the scene has for a volume; see `PromptStorage.read`."""
        return self._storage.read(volume_node, segmentation_node)

    def carry_prompts(self, before: Geometry) -> bool:
        """Keep all prompts on their tissue if the volume has moved since it had another grid."""
        now = self.require_volume().geometry
        if before.shape_kji != now.shape_kji or before.matches(now):
            return False
        self.history.replace_all(carrier(now.ijk_to_ras @ np.linalg.inv(before.ijk_to_ras)))
        self._view.show(self.prompts)
        return True

    def store(self) -> None:
        """Store the state in the scene, if there is work to store.

        That happens with each change, at once: a script may write the scene at any time, and only
        the application says beforehand that it saves.
        """
        node, segmentation_node = self.volume_node, self._segments.node
        history = self.history
        text_node = self._text_node
        # What was undone to nothing takes the place of what was stored before.
        has_work = history.present.objects or history.can_undo or text_node is not None
        if node is None or not has_work:
            return
        if (
            text_node is None
            or self._stored_for != (node, segmentation_node)
            or self._scene.GetNodeByID(text_node.GetID() or "") is not text_node
        ):
            text_node = self._text_node = self._storage.node_for(node, segmentation_node)
            self._stored_for = (node, segmentation_node)
        text_node.SetText(state_to_json(self._state(history.present)))
        self.is_unsaved = True

    def snapshot(self) -> Snapshot | None:
        """The contents of an autosave; None without a volume or a segmentation."""
        if self.volume is None or self.volume_node is None or self._segments.node is None:
            return None
        geometry = self.volume.geometry
        contents = self._writer.contents(geometry, self.prompts.labels)
        grid = self._segments.grid(geometry).geometry
        return Snapshot(self._state(self.prompts), self.volume_node.GetName(), grid, contents)

    def check_fits(self, snapshot: Snapshot) -> None:
        """Refuse an autosave of another volume.

        Raises:
            PromptError: If it was made for a volume with another grid.
        """
        geometry = self.require_volume().geometry
        saved = snapshot.state.geometry or snapshot.grid
        if not geometry.matches(saved, tolerance_mm=0.01):
            raise PromptError(
                f"The saved work is of the volume {snapshot.volume_name} with {saved.shape_kji} "
                f"voxels (k, j, i), the chosen one has {geometry.shape_kji} or another position; "
                "choose that volume first."
            )

    def recover(self, snapshot: Snapshot) -> bool:
        """Take up an autosave that fits, into a new segmentation of the volume.

        Returns:
            Whether the segments hold the answer to its prompts.
        """
        state = snapshot.state
        node = self._segments.ensure_node(self.volume_node)
        give_grid(node, snapshot.grid)
        answered_by = state.answered_by
        fresh = SceneState(state.prompts, state.model, state.seed, answered_by=answered_by)
        answered = self._adopt(fresh, node)
        self._writer.put(self.volume_node, self.require_volume().geometry, snapshot.segments)
        self._writer.model_voxels = dict(state.model_voxels)
        self._writer.adopted = {
            label: voxels
            for label, voxels in state.adopted.items()
            if label in state.prompts.labels
        }
        if answered and answered_by is not None:
            self._writer.remember(answered_by, self.prompts)
        self.store()
        return answered

    def _adopt(self, state: SceneState, segmentation_node: Any | None) -> bool:
        """Continue with a state; returns whether the segments hold the answer to its prompts."""
        queue = self._queue
        if state.model in MODELS:
            options, present = state.options, queue.model
            own = present.options if state.model == present.name else {}
            if options is None:
                # Earlier versions did not record them; another model has other options.
                options = own
            known = card(state.model)
            # A scene may be someone else's, and name their server.
            private = known.private_options(options).keys()
            public = {name: value for name, value in options.items() if name not in private}
            options = {**public, **known.private_options(own)}
            queue.set_model(state.model, present.device, options)
        else:
            self._updates.append(
                Warned(
                    f"The prompts were made with the model '{state.model}', which is not here; "
                    f"{queue.model.card.title} goes on with them."
                )
            )
        self.history = PromptHistory(state.prompts)
        self.select(max(state.prompts.labels, default=1))
        self._segments.use(segmentation_node)
        answered = state.answered_by is not None and segmentation_node is not None
        if segmentation_node is not None:
            self._segments.ids = dict(state.segment_ids)
            lost = [n for n in state.prompts.labels if self._segments.is_missing(n)]
            self._writer.model_voxels = {
                label: voxels for label, voxels in state.model_voxels.items() if label not in lost
            }
            self._writer.adopted = {
                label: voxels for label, voxels in state.adopted.items() if label not in lost
            }
            for label, name in state.prompts.objects:
                self._segments.ensure(label, name)
            answered = answered and not lost
            if answered and state.answered_by is not None:
                self._writer.remember(state.answered_by, state.prompts)
        self._view.show(self.prompts)
        return answered or not state.prompts.entries

    def _state(self, prompts: PromptList) -> SceneState:
        model, ids = self._queue.model, self._segments.ids
        seed = int(model.options.get("seed", 0))
        voxels, held = self._writer.model_voxels, self._writer.held
        answered_by = None if prompts.entries else model.text
        if held is not None and held[1] == prompts:
            # Possibly a model that is not here, until another answer is requested.
            answered_by = held[0]
        adopted = self._writer.adopted
        private = model.card.private_options(model.options).keys()
        options = {name: value for name, value in model.options.items() if name not in private}
        return SceneState(
            prompts,
            model.name,
            seed,
            ids,
            voxels,
            self.geometry,
            answered_by,
            adopted,
            options,
        )


def _have_same_corners(first: Geometry, second: Geometry) -> bool:
    """Whether two grids have the same corners: files may hold the axes of one volume reversed."""
    corners = [grid.ras_from_ijk(grid.corners_ijk()) for grid in (first, second)]
    gaps = np.linalg.norm(corners[0][:, None] - corners[1], axis=2)
    return bool(gaps.min(axis=1).max() < _SAME_CORNER_MM)
