"""The objects of the present work: their names, their segments, and changes of whole segments."""

from __future__ import annotations

from ..errors import MaskError
from ..prompts.edits import renamed
from ..prompts.types import Prompt
from ..volumes.segmentations.treatment import Treatment
from ..volumes.volume import Volume
from .consistency.tracker import ConsistencyTracker
from .interaction import Interaction
from .replacing import SegmentReplacer
from .requests.request_queue import RequestQueue
from .segment_choice import SegmentChoice
from .segments.export import labels_of_segments
from .segments.masking import is_locked, set_locked
from .segments.model_voxels import ModelVoxels
from .segments.replacements import Replacements
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .workspace import Workspace


class Objects:
    """Adds, names, chooses, locks and replaces the objects of a `SegmentationLogic`.

    Args:
        workspace: The present work.
        segments: The segments of the objects.
        writer: Holds the voxels that segments have from answers.
        replacements: Adds segments beside those of the objects.
        replacer: Replaces segments by other results.
        queue: Holds the pending request.
        interaction: Changes the prompts.
        consistency: Shows the agreement of the planes for the current object.
    """

    def __init__(
        self,
        workspace: Workspace,
        segments: Segments,
        writer: SegmentWriter,
        replacements: Replacements,
        replacer: SegmentReplacer,
        queue: RequestQueue,
        interaction: Interaction,
        consistency: ConsistencyTracker,
    ) -> None:
        self._workspace = workspace
        self._segments = segments
        self._writer = writer
        self._replacements = replacements
        self._replacer = replacer
        self._queue = queue
        self._interaction = interaction
        self._consistency = consistency
        self._choice = SegmentChoice(workspace, segments, writer, queue, interaction)

    @property
    def chosen_segment(self) -> str:
        """The segment that the next prompt adopts: see `choose`; "" if there is none."""
        return self._workspace.chosen_segment

    @property
    def current_segment(self) -> str:
        """The identifier of the segment that new prompts are for; "" if it is not there yet."""
        label = self._workspace.current_label
        own = self._segments.ids[label] if self._segments.is_there(label) else ""
        return self.chosen_segment or own

    @property
    def treatment(self) -> Treatment:
        """The treatment of all segments after the answer to the present prompts; see `treat`."""
        prompts = self._workspace.prompts
        labels = [label for label, _ in prompts.entries]
        return self._writer.replaced.treatment(prompts, labels)

    def add(self, name: str | None = None) -> int:
        """Begin another object with a segment of its own and make it current; returns its label."""
        self._interaction.take_edits()
        self._interaction.change(self._workspace.prompts.with_object(name), select=-1)
        return self._workspace.current_label

    def remove(self, label: int) -> None:
        """Remove an object, its prompts and its segment; undo brings them back."""
        self._interaction.take_edits()
        self._interaction.change(self._workspace.prompts.without_object(label))

    def rename(self, label: int, name: str) -> None:
        """Name an object; its segment gets the terminology and colour of that name."""
        self._interaction.take_edits()
        self._interaction.change(renamed(self._workspace.prompts, label, name))
        self._segments.rename(label, name)

    def take_names(self) -> None:
        """Name objects as others have named their segments; those keep their terminology."""
        for label, name in self._segments.take_names().items():
            prompts = self._workspace.prompts
            if label in prompts.labels and name and name != prompts.name(label):
                self._interaction.change(renamed(prompts, label, name))

    def select(self, label: int) -> None:
        """Make an object the one that new prompts are for."""
        self._interaction.take_edits()
        self._workspace.prompts.name(label)
        self._workspace.select(label)
        self._show_consistency()

    def set_locked(self, label: int, locked: bool) -> None:
        """Lock an object's segment: no answer changes it or takes voxels from it.

        Raises:
            MaskError: If it has no segment.
        """
        name = self._workspace.prompts.name(label)
        if not self._segments.is_there(label):
            raise MaskError(f"{name} has no segment to lock yet; predict it first.")
        set_locked(self._segments.node, self._segments.ids[label], locked)

    def is_locked(self, label: int) -> bool:
        """Whether an object's segment is locked."""
        node, segment_id = self._segments.node, self._segments.ids.get(label)
        return node is not None and segment_id is not None and is_locked(node, segment_id)

    def adopt(self, segment_id: str) -> int:
        """Go on with an existing segment of the segmentation: it becomes an object of its own.

        Its voxels are the object's mask to start from, a prompt as any other, and stay as they are
        until a prompt corrects them. Undo brings them back. When the object is removed, or its
        prompts are, the segment stays in the scene with the voxels that it had before. A segment
        that is an object's already makes that the current one.

        Args:
            segment_id: The segment in `segments.node`; see `SegmentationLogic.use_segmentation`.

        Returns:
            The object's label, which is the current one.

        Raises:
            MaskError: If there is no such segment, or it is empty, locked or a surface.
            PromptError: If the model takes no masks, or the segment is outside the volume.
            VolumeError: If no volume is chosen. Nothing changes then.
        """
        self._interaction.take_edits()
        return self._choice.adopt(segment_id)

    def choose(self, segment_id: str) -> None:
        """Make a segment of the segmentation the one that new prompts are for.

        One that is no object's yet is adopted by the next prompt, and is not changed before: see
        `adopt`. An empty one becomes an object with that segment.

        Raises:
            MaskError: If there is no such segment.
        """
        self._interaction.take_edits()
        self._choice.choose(segment_id)
        self._show_consistency()

    def replace(self, label: int, mask: ModelVoxels) -> None:
        """Make an object's segment hold exactly these voxels of the volume; undo restores it.

        The prompts stay, and the next one is answered as usual. If an answer is awaited, it is
        for the other objects only.

        Raises:
            MaskError: If the segment is locked.
        """
        self._interaction.take_edits()
        self._check_unlocked(label, "replace")
        self._replacer.replace(label, mask)
        pending = self._queue.pending
        if pending is not None and not pending.for_consistency:
            pending.replaced[label] = mask

    def treat(self, treatment: Treatment, label: int | None = None) -> bool:
        """Treat an object's segment: fill holes, smooth, leave parts out; undo restores it.

        No voxel of another object is taken. The next answer replaces the result.

        Args:
            treatment: What is done.
            label: The object; None for the current one.

        Returns:
            Whether any voxel changed.

        Raises:
            MaskError: If the object has no segment with voxels, or it is locked.
            VolumeError: If no volume is chosen.
        """
        self._interaction.take_edits()
        label = self._workspace.current_label if label is None else label
        self._check_unlocked(label, "change")
        return self._replacer.treat(label, treatment)

    def add_segment(self, name: str, mask: ModelVoxels) -> str:
        """Add a segment beside those of the objects: see `Replacements.add_segment`."""
        work = self._workspace
        geometry = work.require_volume().geometry
        self._segments.ensure_node(work.volume_node)
        return self._replacements.add_segment(work.volume_node, geometry, name, mask)

    def to_labels(self) -> Volume:
        """All objects in one volume on the segmentation's grid; save it with `Volume.write`.

        Raises:
            MaskError: If there is no object.
            VolumeError: If no volume is chosen.
        """
        known = self._segments.ids
        ids = {n: known[n] for n in self._workspace.prompts.labels if n in known}
        if not ids:
            raise MaskError("There is no object to export yet; place a box or click on one first.")
        grid = self._segments.grid(self._workspace.require_volume().geometry)
        return labels_of_segments(self._segments.node, grid, ids)

    def adopt_for(self, prompt: Prompt) -> None:
        """Adopt the chosen segment, if there is one, for a prompt that can be taken."""
        if self.chosen_segment:
            self._choice.adopt_for(prompt)

    def _check_unlocked(self, label: int, action: str) -> None:
        name = self._workspace.prompts.name(label)
        if self.is_locked(label):
            raise MaskError(f"{name} is locked; untick Lock before you {action} its segment.")

    def _show_consistency(self) -> None:
        if self._consistency.is_on:
            self._consistency.show()
