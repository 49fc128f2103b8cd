"""Segments of the present work replaced by results that are no answer to its prompts, with undo."""

from __future__ import annotations

from ..errors import MaskError
from ..volumes.segmentations.treatment import Treatment
from .requests.request_queue import RequestQueue
from .segments.model_voxels import ModelVoxels
from .segments.replacements import Replacements
from .segments.segments import Segments
from .segments.writer import SegmentWriter
from .updates import PromptsChanged, Update, Written
from .workspace import Workspace


class SegmentReplacer:
    """Replaces segments of objects, and stores the work after it.

    Args:
        workspace: The present work.
        segments: The segments of the objects.
        writer: Holds the voxels that segments have from answers.
        replacements: Writes the other results.
        queue: Holds the model and the pending request.
        updates: Gets what the user should see.
    """

    def __init__(
        self,
        workspace: Workspace,
        segments: Segments,
        writer: SegmentWriter,
        replacements: Replacements,
        queue: RequestQueue,
        updates: list[Update],
    ) -> None:
        self._workspace = workspace
        self._segments = segments
        self._writer = writer
        self._replacements = replacements
        self._queue = queue
        self._updates = updates

    def replace(self, label: int, mask: ModelVoxels) -> None:
        """Make an object's segment hold these voxels of the volume; undo brings it back."""
        workspace = self._workspace
        volume = workspace.require_volume()
        self._segments.ensure_node(workspace.volume_node)
        self._segments.ensure(label, workspace.prompts.name(label))
        self._note_written(
            self._replacements.replace(
                workspace.volume_node, volume.geometry, workspace.prompts, label, mask
            )
        )

    def treat(self, label: int, treatment: Treatment) -> bool:
        """Treat an object's segment; see `Objects.treat`."""
        workspace = self._workspace
        geometry = workspace.require_volume().geometry
        if not self._segments.is_there(label):
            name = workspace.prompts.name(label)
            raise MaskError(f"{name} has no segment to change yet; predict it first.")
        written = self._replacements.treat(
            workspace.volume_node, geometry, workspace.prompts, label, treatment
        )
        self._note_written(written)
        return bool(written.added.get(label) or written.removed.get(label))

    def put_back(self, redo: bool) -> None:
        """Undo the last replacement of a segment, or redo it."""
        workspace = self._workspace
        if self._queue.pending is not None:
            # An awaited answer counts again.
            self._queue.pending.replaced.clear()
        geometry = workspace.require_volume().geometry
        self._note_written(
            self._replacements.put_back(workspace.volume_node, geometry, workspace.prompts, redo)
        )

    def _note_written(self, written: Written) -> None:
        workspace = self._workspace
        model, prompts = self._queue.model.text, workspace.prompts
        if not prompts.entries or self._writer.held == (model, prompts):
            # Otherwise the other objects still lack their answer.
            self._writer.remember(model, prompts)
        self._updates += [written, PromptsChanged()]
        workspace.store()
