"""Replace a segment by another result, with undo; and add segments beside those of the objects."""

from __future__ import annotations

from itertools import count
from typing import Any

from ...errors import MaskError
from ...prompts.prompt_list import PromptList
from ...volumes.geometry import Geometry
from ...volumes.grids import brought_to_grid
from ...volumes.segmentations.segmentation import Segment, Segmentation
from ...volumes.segmentations.treatment import Treatment, treated
from ..updates import Written
from .editor import SegmentEditor
from .grid import SegmentGrid
from .masking import Masking
from .model_voxels import ModelVoxels, PackedVoxels
from .replacement_history import Replacement
from .segments import Segments
from .writer import SegmentWriter


class Replacements:
    """Replaces segments by results that are no answer to the present prompts.

    Args:
        segments: The segments of the objects.
        writer: Writes voxels into them.
        editor: The segment editor.
    """

    def __init__(self, segments: Segments, writer: SegmentWriter, editor: SegmentEditor) -> None:
        self._segments = segments
        self._writer = writer
        self._editor = editor

    def replace(
        self, volume_node: Any, volume: Geometry, prompts: PromptList, label: int, mask: ModelVoxels
    ) -> Written:
        """Make an object's segment hold these voxels of the volume and no others.

        The next answer replaces them, unless the object has no prompts and gets none.

        Args:
            volume_node: The volume's node.
            volume: The volume's grid.
            prompts: The present prompts.
            label: The object, which has a segment.
            mask: Its new voxels, on the volume's grid.
        """
        return self._replace(
            volume_node, volume, prompts, label, _on_grid(mask, volume, self._segments.grid(volume))
        )

    def treat(
        self,
        volume_node: Any,
        volume: Geometry,
        prompts: PromptList,
        label: int,
        treatment: Treatment,
    ) -> Written:
        """Treat all voxels of an object's segment; see `Objects.treat`.

        Raises:
            MaskError: If the segment has no voxels.
        """
        grid = self._segments.grid(volume).geometry
        contents = self._writer.contents(volume, prompts.labels)
        segments = tuple(
            Segment(n, prompts.name(n), voxels.region, voxels.mask_kji)
            for n, voxels in contents.items()
        )
        if label not in contents or not contents[label].mask_kji.any():
            raise MaskError(f"{prompts.name(label)} has no voxels to change yet; predict it first.")
        changed = treated(Segmentation(grid, segments), treatment, label)
        found = next(segment for segment in changed.segments if segment.label == label)
        wanted = ModelVoxels(found.region, found.mask_kji)
        is_first = not self._writer.replaced.has_replaced(prompts, label)
        made_by = treatment if is_first else None
        return self._replace(volume_node, volume, prompts, label, wanted, made_by)

    def _replace(
        self,
        volume_node: Any,
        volume: Geometry,
        prompts: PromptList,
        label: int,
        wanted: ModelVoxels | None,
        treatment: Treatment | None = None,
    ) -> Written:
        """Replace a segment's voxels by these on the segmentation's grid."""
        before = self._writer.contents(volume, [label]).get(label)
        from_model = self._writer.model_voxels.get(label)
        written = self._put(volume_node, volume, prompts, label, wanted, self._writer.masking())
        if not _has_prompts(prompts, label):
            self._writer.model_voxels.pop(label, None)
        after = self._writer.contents(volume, [label]).get(label)
        states = (_packed(before), _packed(from_model), _packed(after))
        self._writer.replaced.add(prompts, Replacement(label, *states, treatment))
        return written

    def put_back(
        self, volume_node: Any, volume: Geometry, prompts: PromptList, redo: bool
    ) -> Written:
        """Undo the last replacement at these prompts, or redo the one that was undone last."""
        history = self._writer.replaced
        found = history.redo(prompts) if redo else history.undo(prompts)
        wanted = _unpacked(found.after if redo else found.before)
        masking = Masking(self._writer.masking().overwrite)
        written = self._put(volume_node, volume, prompts, found.label, wanted, masking)
        if redo:
            from_model = wanted if _has_prompts(prompts, found.label) else None
        else:
            from_model = _unpacked(found.from_model_before)
        if from_model is None:
            self._writer.model_voxels.pop(found.label, None)
        else:
            self._writer.model_voxels[found.label] = from_model
        return written

    def add_segment(self, volume_node: Any, volume: Geometry, name: str, mask: ModelVoxels) -> str:
        """Add a segment beside those of the objects.

        Args:
            volume_node: The volume's node.
            volume: The volume's grid.
            name: Its name; a number is appended if another segment has it.
            mask: Its voxels, on the volume's grid.

        Returns:
            The new segment's identifier.

        Raises:
            MaskError: If none of the voxels is on the segmentation's grid.
        """
        node: Any = self._segments.node
        grid = self._segments.grid(volume)
        brought = _on_grid(mask, volume, grid)
        if brought is None:
            raise MaskError(
                f"{name} lies outside the voxels that {node.GetName()} has room for; choose a new "
                "segmentation for it."
            )
        segments = node.GetSegmentation()
        known = {segments.GetSegment(n).GetName() for n in segments.GetSegmentIDs()}
        numbered = (name if n == 1 else f"{name} {n}" for n in count(1))
        unused = next(own for own in numbered if own not in known)
        segment_id = str(segments.AddEmptySegment("", unused))
        self._editor.look_at(node, volume_node)
        if brought.mask_kji.any():
            self._editor.fill(grid, segment_id, brought.mask_kji, brought.region)
        return segment_id

    def _put(
        self,
        volume_node: Any,
        volume: Geometry,
        prompts: PromptList,
        label: int,
        wanted: ModelVoxels | None,
        masking: Masking,
    ) -> Written:
        """Bring one segment to this content, no matter who drew what it holds; the others stay."""
        model_voxels = self._writer.model_voxels
        now = self._writer.contents(volume, [label]).get(label)
        model_voxels.pop(label, None)
        if now is not None:
            model_voxels[label] = now
        targets = {n: voxels for n, voxels in model_voxels.items() if n != label}
        if wanted is not None:
            targets[label] = wanted
        grid = self._segments.grid(volume)
        return self._writer.write(volume_node, grid, prompts, targets, masking)


def _on_grid(mask: ModelVoxels, volume: Geometry, grid: SegmentGrid) -> ModelVoxels | None:
    """Voxels of the volume on the segmentation's grid; None if none is there."""
    if grid.is_volume_grid:
        return mask
    brought = brought_to_grid(mask.mask_kji, volume.crop(mask.region), grid.geometry)
    return None if brought is None else ModelVoxels(*brought)


def _has_prompts(prompts: PromptList, label: int) -> bool:
    return any(owner == label for owner, _ in prompts.entries)


def _packed(voxels: ModelVoxels | None) -> PackedVoxels | None:
    return None if voxels is None else voxels.packed


def _unpacked(packed: PackedVoxels | None) -> ModelVoxels | None:
    return None if packed is None else packed.unpacked()
