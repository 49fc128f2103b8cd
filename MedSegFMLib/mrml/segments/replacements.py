"""Segments brought to contents that no answer gave: results taken over, and segments added."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from ...errors import MaskError
from ...prompts.prompt_list import PromptList
from ...volumes.geometry import Geometry
from ...volumes.volume import Volume
from ...worker.events import Answer
from ..updates import Written
from .masking import Masking
from .model_voxels import Holding, PackedHolding
from .replacement_history import Taken, Takes
from .segment_state import SegmentState


class TakingState(SegmentState):
    """A `SegmentState` whose segments can be replaced, with undo at each state of the prompts."""

    def forget_remembered(self) -> None:
        """As `SegmentState`; what was taken is forgotten too."""
        super().forget_remembered()
        self.takes = Takes()

    def write_answers(
        self, volume_node: Any, volume: Geometry, prompts: PromptList, answers: Mapping[int, Answer]
    ) -> Written:
        """As `SegmentState`; what was taken at these prompts is replaced."""
        self.takes.forget(prompts)
        return super().write_answers(volume_node, volume, prompts, answers)

    def take(
        self, volume_node: Any, volume: Geometry, prompts: PromptList, label: int, mask: Holding
    ) -> Written:
        """Make an object's segment hold these voxels of the volume and no others.

        The next answer replaces them; where the object has no prompts none does.
        """
        before, held = self.contents(volume, [label]).get(label), self.held.get(label)
        wanted = self._brought(mask, volume)
        written = self._put(volume_node, volume, prompts, label, wanted, self.masking())
        if all(owner != label for owner, _ in prompts.entries):
            self.held.pop(label, None)
        after = self.contents(volume, [label]).get(label)
        self.takes.add(prompts, Taken(label, _packed(before), _packed(held), _packed(after)))
        return written

    def put_back(
        self, volume_node: Any, volume: Geometry, prompts: PromptList, redo: bool
    ) -> Written:
        """Undo what was taken last at these prompts, or redo it."""
        taken = self.takes.redo(prompts) if redo else self.takes.undo(prompts)
        label, wanted = taken.label, _unpacked(taken.after if redo else taken.before)
        masking = Masking(self.masking().overwrite)
        written = self._put(volume_node, volume, prompts, label, wanted, masking)
        has_prompts = any(owner == label for owner, _ in prompts.entries)
        held = (wanted if has_prompts else None) if redo else _unpacked(taken.held_before)
        if held is None:
            self.held.pop(label, None)
        else:
            self.held[label] = held
        return written

    def add_segment(self, volume_node: Any, volume: Geometry, name: str, mask: Holding) -> str:
        """A new segment beside those of the objects, with these voxels of the volume.

        Where there is a segment of that name the new one has a number behind it. Raises MaskError
        where the segmentation has no room for any of the voxels.
        """
        node: Any = self._segments.node
        brought = self._brought(mask, volume)
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
        grid = self._segments.grid(volume)
        self._editor.add(grid, segment_id, brought.mask_kji, brought.region, Masking())
        return segment_id

    def _brought(self, mask: Holding, volume: Geometry) -> Holding | None:
        """Voxels of the volume on the segmentation's grid."""
        part = Volume(mask.mask_kji, volume.crop(mask.region))
        brought = self._segments.grid(volume).bring(part, mask.region.start_kji, volume)
        return None if brought is None else Holding(*brought)

    def _put(
        self,
        volume_node: Any,
        volume: Geometry,
        prompts: PromptList,
        label: int,
        wanted: Holding | None,
        masking: Masking,
    ) -> Written:
        """Bring one segment to this content, whoever put there what it holds; the others stay."""
        now = self.contents(volume, [label]).get(label)
        self.held.pop(label, None)
        if now is not None:
            self.held[label] = now
        targets = {n: held for n, held in self.held.items() if n != label}
        if wanted is not None:
            targets[label] = wanted
        return self._write(volume_node, volume, prompts, targets, masking)


def _packed(held: Holding | None) -> PackedHolding | None:
    return None if held is None else PackedHolding.of(held)


def _unpacked(packed: PackedHolding | None) -> Holding | None:
    return None if packed is None else packed.unpacked()
