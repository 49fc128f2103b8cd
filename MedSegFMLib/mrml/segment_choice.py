"""The segment that the next prompt is for: an object's, or one of others that it adopts."""

from __future__ import annotations

import numpy as np

from ..errors import MaskError
from ..prompts.prompt_list import PromptList
from ..prompts.types import Prompt
from ..volumes.region import Region
from .interaction import Interaction
from .requests.request_queue import RequestQueue
from .segments.adoption import adoptable
from .segments.masking import is_locked
from .segments.model_voxels import ModelVoxels
from .segments.oriented_images import read_segment, segment_bounds
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .workspace import Workspace

# What an empty segment has before it becomes an object's: it stays in the scene when that goes.
_NOTHING = ModelVoxels(Region.at((0, 0, 0), (1, 1, 1)), np.zeros((1, 1, 1), bool))


class SegmentChoice:
    """Chooses segments, and makes those of others objects when they get a prompt.

    A choice alone changes nothing, so that the user may look through the segments.

    Args:
        workspace: The present work.
        segments: The segments of the objects.
        writer: Holds the voxels that segments have from answers.
        queue: Holds the model that answers.
        interaction: Changes the prompts.
    """

    def __init__(
        self,
        workspace: Workspace,
        segments: Segments,
        writer: SegmentWriter,
        queue: RequestQueue,
        interaction: Interaction,
    ) -> None:
        self._workspace = workspace
        self._segments = segments
        self._writer = writer
        self._queue = queue
        self._interaction = interaction
        interaction.before_new_prompt = self.adopt_chosen

    def choose(self, segment_id: str) -> None:
        """Make a segment the one that new prompts are for; see `Objects.choose`."""
        self._name(segment_id)
        label = self._owner(segment_id)
        if label is None:
            self._workspace.chosen_segment = segment_id
        else:
            self._workspace.select(label)

    def adopt_for(self, prompt: Prompt) -> None:
        """Adopt the chosen segment for a prompt, unless that cannot be taken anyway."""
        alone = PromptList().with_object()
        self._interaction.check(alone.added(alone.labels[0], prompt), PromptList())
        self.adopt_chosen()

    def adopt_chosen(self) -> None:
        """Make the chosen segment an object, if one is chosen and still there."""
        segment_id, node = self._workspace.chosen_segment, self._segments.node
        self._workspace.chosen_segment = ""
        if not segment_id or node is None or not node.GetSegmentation().GetSegment(segment_id):
            return
        try:
            if self._is_empty(segment_id):
                self._begin_in(segment_id)
            else:
                self.adopt(segment_id)
        except Exception:
            # It is still the user's choice, for when the cause is gone.
            self._workspace.chosen_segment = segment_id
            raise

    def adopt(self, segment_id: str) -> int:
        """Make a segment an object; see `Objects.adopt`."""
        workspace = self._workspace
        geometry = workspace.require_volume().geometry
        before = workspace.prompts
        owner = self._owner(segment_id)
        if owner is not None:
            workspace.select(owner)
            return owner
        name, voxels, mask = adoptable(self._segments, segment_id, geometry)
        prompts = before.with_object(name)
        label = prompts.labels[-1]
        prompts = prompts.added(label, mask)
        self._interaction.check(prompts, before)
        self._writer.release(label)
        self._writer.adopt(label, segment_id, voxels)
        if not before.entries:
            # Otherwise objects may overlap, and marks of one be inside another.
            self._writer.remember(self._queue.model.text, prompts)
        self._interaction.make_present(before, prompts, select=-1, adopted=label)
        return label

    def _begin_in(self, segment_id: str) -> None:
        """Make an empty segment an object without prompts."""
        name, node = self._name(segment_id), self._segments.node
        if is_locked(node, segment_id):
            raise MaskError(f"{name} is locked; untick Lock before you segment into it.")
        before = self._workspace.prompts
        prompts = before.with_object(name)
        label = prompts.labels[-1]
        self._writer.release(label)
        self._writer.adopt(label, segment_id, _NOTHING)
        self._interaction.make_present(before, prompts, select=-1, adopted=label)

    def _owner(self, segment_id: str) -> int | None:
        """The object that has a segment; None if none has it."""
        ids = self._segments.ids
        labels = self._workspace.prompts.labels
        return next((label for label in labels if ids.get(label) == segment_id), None)

    def _name(self, segment_id: str) -> str:
        node = self._segments.node
        segment = None if node is None else node.GetSegmentation().GetSegment(segment_id)
        if segment is None:
            raise MaskError(
                f"There is no segment '{segment_id}' in the segmentation; choose one of its "
                "segments."
            )
        return str(segment.GetName())

    def _is_empty(self, segment_id: str) -> bool:
        node = self._segments.node
        grid = self._segments.grid(self._workspace.require_volume().geometry)
        region = segment_bounds(node, segment_id, grid)
        return region is None or not read_segment(node, segment_id, grid, region).any()
