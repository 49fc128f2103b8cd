"""The segments of all objects, brought to answers and to remembered states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from ...prompts.prompt_list import PromptList
from ...system.memory_cache import LruByteCache
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ...volumes.volume import Volume
from ...worker.events import Answer
from ..updates import Written
from .change_overlay import ChangeOverlay
from .editor import SegmentEditor
from .masking import Masking, Overwrite, segment_editor_masking
from .model_voxels import Holding, PackedHolding
from .segments import Segments
from .writer import Change, SegmentWriter

_Remembered = dict[int, PackedHolding]
_BUDGET_BYTES = 1 << 27


class SegmentState:
    """What the segments hold from answers, and what they held at earlier prompt states.

    overwrite: which other segments lose voxels to an answer; None: as the user set the Segment
        Editor where it edits this segmentation, "none" otherwise.
    """

    def __init__(
        self, scene: Any, segments: Segments, overlay: ChangeOverlay, application_logic: Any | None
    ) -> None:
        self._scene = scene
        self._segments = segments
        self._overlay = overlay
        self._editor = SegmentEditor(scene, application_logic)
        self._writer = SegmentWriter(self._editor)
        self.held: dict[int, Holding] = {}
        self.overwrite: Overwrite | None = None
        self.forget_remembered()

    def forget(self) -> None:
        """Another volume or segmentation comes: nothing is held or remembered."""
        self.held = {}
        self._writer.forget()
        self.forget_remembered()

    def forget_remembered(self) -> None:
        """Earlier states must be predicted again: the volume or the model is another."""
        self._remembered: LruByteCache[tuple[str, PromptList], _Remembered] = LruByteCache(
            _BUDGET_BYTES, lambda state: sum(held.bits.nbytes for held in state.values())
        )

    def masking(self) -> Masking:
        """What an answer may touch now."""
        set_there = segment_editor_masking(self._scene, self._segments.node) or Masking()
        chosen = self.overwrite or set_there.overwrite
        return Masking(chosen, set_there.area, set_there.area_segment_id, set_there.intensity)

    def write_answers(
        self, volume_node: Any, volume: Geometry, prompts: PromptList, answers: Mapping[int, Answer]
    ) -> Written:
        """Bring the segments of all objects to a model's answers; no answer is an empty one."""
        grid = self._segments.grid(volume)
        wanted: dict[int, Holding] = {}
        cut_off = []
        for label, answer in answers.items():
            if answer.region is None:
                continue
            mask = Volume(answer.mask_kji, volume.crop(answer.region))
            brought = grid.bring(mask, answer.offset_kji, volume)
            if brought is not None:
                wanted[label] = Holding(*brought)
            if not volume.matches(grid.geometry) and not grid.covers(mask):
                cut_off.append(label)
        written = self._write(volume_node, volume, prompts, wanted, self.masking())
        return replace(written, cut_off=tuple(cut_off))

    def recall(
        self, volume_node: Any, volume: Geometry, model: str, prompts: PromptList
    ) -> Written | None:
        """Bring the segments back to how these prompts left them; None where that is forgotten.

        Masking decided then what the segments gained, and does not stand in the way now.
        """
        state = {} if not prompts.entries else self._remembered.get((model, prompts))
        if state is None:
            return None
        wanted = {label: packed.unpacked() for label, packed in state.items()}
        masking = Masking(self.masking().overwrite)
        return self._write(volume_node, volume, prompts, wanted, masking)

    def remember(self, model: str, prompts: PromptList) -> None:
        """Keep what the segments hold as what these prompts of this model give."""
        packed = {label: PackedHolding.of(held) for label, held in self.held.items()}
        self._remembered.put((model, prompts), packed)

    def remember_as(self, model: str, before: PromptList, prompts: PromptList) -> None:
        """What is remembered of `before` holds for `prompts` too, which has the same entries."""
        state = self._remembered.get((model, before))
        if state is not None:
            self._remembered.put((model, prompts), state)

    def drop_objects(self, volume_node: Any, volume: Geometry, prompts: PromptList) -> None:
        """Take back what answers gave to objects that are no more, and their segments."""
        if any(self._segments.is_there(n) for n in set(self._segments.ids) - set(prompts.labels)):
            kept = {n: held for n, held in self.held.items() if n in prompts.labels}
            self._write(volume_node, volume, prompts, kept, self.masking())

    def release(self, label: int) -> None:
        """Another object gets this label: what is left of the one before stays as it is."""
        self._segments.release(label)
        self.held.pop(label, None)

    def put(self, volume_node: Any, volume: Geometry, contents: Mapping[int, Holding]) -> None:
        """Add voxels to segments as somebody else's, past all masking: for recovery."""
        grid = self._segments.grid(volume)
        self._editor.look_at(self._segments.node, volume_node)
        for label, content in contents.items():
            segment_id = self._segments.ids[label]
            self._editor.add(grid, segment_id, content.mask_kji, content.region, Masking())

    def contents(self, volume: Geometry, labels: Iterable[int]) -> dict[int, Holding]:
        """All voxels of the objects' segments, also those that others put there."""
        grid = self._segments.grid(volume)
        found = {}
        for label in labels:
            segment_id = self._segments.ids.get(label, "")
            region = grid.bounds(self._segments.node, segment_id)
            if region is not None:
                found[label] = Holding(region, grid.read(self._segments.node, segment_id, region))
        return found

    def _write(
        self,
        volume_node: Any,
        volume: Geometry,
        prompts: PromptList,
        wanted: Mapping[int, Holding],
        masking: Masking,
    ) -> Written:
        started = perf_counter()
        grid = self._segments.grid(volume)
        self._editor.look_at(self._segments.node, volume_node)
        labels = {segment_id: label for label, segment_id in self._segments.ids.items()}
        nothing = Holding(Region.whole((1, 1, 1)), np.zeros((1, 1, 1), dtype=bool))
        targets = {
            segment_id: wanted.get(label, self._emptied(label, nothing))
            for segment_id, label in labels.items()
            if label in wanted or label in self.held
        }
        held = {self._segments.ids[label]: holding for label, holding in self.held.items()}
        changes = self._writer.write(self._segments.node, grid, targets, held, masking)
        for segment_id, change in changes.items():
            self._keep(labels[segment_id], change)
        self._drop_objects(volume, prompts)
        self._overlay.show(self._segments.node, grid, changes.values())
        return Written(
            {labels[i]: int(np.count_nonzero(c.added)) for i, c in changes.items()},
            {labels[i]: int(np.count_nonzero(c.removed)) for i, c in changes.items()},
            perf_counter() - started,
        )

    def _emptied(self, label: int, nothing: Holding) -> Holding:
        held = self.held.get(label)
        if held is None:
            return nothing
        return Holding(held.region, np.zeros_like(held.mask_kji))

    def _keep(self, label: int, change: Change) -> None:
        if change.holding.mask_kji.any():
            self.held[label] = change.holding
        else:
            self.held.pop(label, None)

    def _drop_objects(self, volume: Geometry, prompts: PromptList) -> None:
        """Delete segments of objects that are no more, unless others have drawn in them."""
        for label in set(self._segments.ids) - set(prompts.labels):
            content = self.contents(volume, [label]).get(label)
            if content is None or not content.mask_kji.any():
                self._segments.remove(label)
