"""The segments of all objects, brought to answers and to remembered states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from ...prompts.prompt_list import PromptList
from ...volumes.geometry import Geometry
from ...volumes.grids import brought_to_grid
from ...volumes.region import Region
from ...volumes.volume import Volume
from ...worker.events import Answer
from ..updates import Written
from .change_overlay import ChangeOverlay
from .decided_voxels import absorbed, decided_voxels
from .editor import SegmentEditor
from .grid import SegmentGrid, covers
from .masking import Masking, Overwrite, segment_editor_masking
from .merger import SegmentMerger
from .model_voxels import ModelVoxels
from .oriented_images import read_segment, segment_bounds
from .remembered_states import Remembered, RememberedStates, new_states
from .replacement_history import ReplacementHistory
from .segments import Segments


class SegmentWriter:
    """Writes answers into segments, and remembers what they held at earlier prompt states.

    Args:
        scene: The vtkMRMLScene.
        segments: The segments of the objects.
        overlay: Shows what a write changed.
        editor: The segment editor that writes.

    Attributes:
        model_voxels: The voxels that each object's segment has from answers, by label, on the
            segmentation's grid.
        held: The model and the prompts whose answer the segments hold; None while it is awaited.
        replaced: What was replaced by other results at each state of the prompts.
        overlay: Shows what the last write changed.
        adopted: By label, the voxels that the segment of an adopted object had before, on the
            segmentation's grid; it gets them back when the object or all of its prompts go.
        overwrite: Which other segments lose voxels to an answer; None for the user's setting in
            the Segment Editor if that edits this segmentation, "none" otherwise.
    """

    def __init__(
        self, scene: Any, segments: Segments, overlay: ChangeOverlay, editor: SegmentEditor
    ) -> None:
        self._scene = scene
        self._segments = segments
        self._editor = editor
        self._merger = SegmentMerger(editor)
        self._remembered: RememberedStates = new_states()
        self.model_voxels: dict[int, ModelVoxels] = {}
        self.held: tuple[str, PromptList] | None = None
        self.adopted: dict[int, ModelVoxels] = {}
        # Adopted objects that are gone.
        self._given_back: set[int] = set()
        self._answered: tuple[str, PromptList] | None = None  # What was written last.
        self.replaced = ReplacementHistory()
        self.overlay = overlay
        self.overwrite: Overwrite | None = None

    def forget(self) -> None:
        """Forget everything: another volume or segmentation comes."""
        self.model_voxels, self.adopted = {}, {}
        self._given_back.clear()
        self._merger.forget()
        self.forget_remembered()

    def forget_remembered(self) -> None:
        """Forget earlier states and replacements: the volume or the model is another."""
        self._remembered = new_states()
        self.held = None
        if self._answered is not None:
            # Marks that were answered stay answered.
            self._answered = ("", self._answered[1])
        self.replaced = ReplacementHistory()

    def adopt(self, label: int, segment_id: str, voxels: ModelVoxels) -> None:
        """Let a segment with these voxels be that of an object, as if an answer had given them."""
        self._segments.ids[label] = segment_id
        self.adopted[label] = self.model_voxels[label] = voxels

    def resume_adopted(self, labels: Iterable[int]) -> None:
        """Count the voxels of adopted segments as from answers again: their objects came back."""
        for label in labels:
            if label in self._given_back:
                self._given_back.discard(label)
                self.model_voxels[label] = self.adopted[label]

    def masking(self) -> Masking:
        """Limits to what an answer may change now."""
        user_set = segment_editor_masking(self._scene, self._segments.node) or Masking()
        if self.overwrite is None or self.overwrite == user_set.overwrite:
            return user_set
        return replace(user_set, overwrite=self.overwrite)

    def write_answers(
        self, volume_node: Any, volume: Geometry, prompts: PromptList, answers: Mapping[int, Answer]
    ) -> Written:
        """Bring the segments of all objects to a model's answers; a missing one counts as empty.

        Args:
            volume_node: The volume's node.
            volume: The volume's grid.
            prompts: The prompts that were answered.
            answers: The answer for each label.

        Raises:
            GeometryError: If the segmentation is under a non-linear transform.
        """
        if not self.replaced.is_empty:
            self.replaced.forget(prompts)
        grid = self._segments.grid(volume)
        self._absorb(prompts, volume, grid)
        wanted: dict[int, ModelVoxels] = {}
        cut_off = []
        for label, answer in answers.items():
            if not answer.mask_kji.size:
                continue
            region = Region.at(answer.offset_kji, answer.mask_kji.shape)
            if grid.is_volume_grid:
                wanted[label] = ModelVoxels(region, answer.mask_kji.astype(bool, copy=False))
                continue
            mask = Volume(answer.mask_kji, volume.crop(region))
            brought = brought_to_grid(mask.array_kji, mask.geometry, grid.geometry)
            if brought is not None:
                wanted[label] = ModelVoxels(*brought)
            if not covers(grid.geometry, mask):
                cut_off.append(label)
        written = self.write(volume_node, grid, prompts, wanted, self.masking())
        model, before = self._answered or ("", PromptList())
        clicked = prompts.clicked_since(before) if model else None
        return replace(written, cut_off=tuple(cut_off), clicked=clicked)

    def recall(
        self, volume_node: Any, volume: Geometry, model: str, prompts: PromptList
    ) -> Written | None:
        """Bring the segments back to how these prompts left them; None if that is forgotten.

        Masking limited then what the segments gained; it does not apply again now.
        """
        if prompts.entries:
            state = self._remembered.get((model, prompts))
            if state is None:
                return None
            wanted = {label: packed.unpacked() for label, packed in state.voxels.items()}
        else:
            wanted = {}
        masking = Masking(self.masking().overwrite)
        grid = self._segments.grid(volume)
        written = self.write(volume_node, grid, prompts, wanted, masking)
        self.held = self._answered = (model, prompts)
        return written

    def remember(self, model: str, prompts: PromptList) -> None:
        """Keep what the segments have now as the result of these prompts with this model."""
        packed = {label: voxels.packed for label, voxels in self.model_voxels.items()}
        self._remembered.put((model, prompts), Remembered.of(packed))
        self.held = self._answered = (model, prompts)

    def remember_as(self, model: str, before: PromptList, prompts: PromptList) -> None:
        """Let what is remembered of `before` count for `prompts` too, which has equal entries."""
        state = self._remembered.get((model, before))
        if state is not None:
            self._remembered.put((model, prompts), state)
        if self.held == (model, before):
            self.held = (model, prompts)

    def drop_objects(self, volume_node: Any, volume: Geometry, prompts: PromptList) -> None:
        """Remove what answers gave to objects that are gone, and their segments."""
        gone = set(self._segments.ids).difference(label for label, _ in prompts.objects)
        if any(self._segments.is_there(label) for label in gone):
            kept = {n: voxels for n, voxels in self.model_voxels.items() if n not in gone}
            grid = self._segments.grid(volume)
            self.write(volume_node, grid, prompts, kept, self.masking())

    def release(self, label: int) -> None:
        """Let go of a label that another object gets; what is left of the old one stays."""
        self._segments.release(label)
        self.model_voxels.pop(label, None)
        self.adopted.pop(label, None)
        self._given_back.discard(label)

    def lose(self, label: int) -> None:
        """Forget the segment of an object that others have deleted."""
        self.model_voxels.pop(label, None)
        self.adopted.pop(label, None)

    def put(self, volume_node: Any, volume: Geometry, contents: Mapping[int, ModelVoxels]) -> None:
        """Add voxels to segments as if others had drawn them, past all masking: for recovery."""
        grid = self._segments.grid(volume)
        self._editor.look_at(self._segments.node, volume_node)
        for label, content in contents.items():
            if content.mask_kji.any():
                segment_id = self._segments.ids[label]
                self._editor.add(grid, segment_id, content.mask_kji, content.region)

    def contents(self, volume: Geometry, labels: Iterable[int]) -> dict[int, ModelVoxels]:
        """All voxels of the objects' segments, by label, also those that others put there."""
        grid, node = self._segments.grid(volume), self._segments.node
        found = {}
        for label in labels:
            segment_id = self._segments.ids.get(label, "")
            region = segment_bounds(node, segment_id, grid)
            if region is not None:
                found[label] = ModelVoxels(region, read_segment(node, segment_id, grid, region))
        return found

    def write(
        self,
        volume_node: Any,
        grid: SegmentGrid,
        prompts: PromptList,
        wanted: Mapping[int, ModelVoxels],
        masking: Masking,
    ) -> Written:
        """Bring the segments of all objects to wanted voxels, and show what changed.

        Args:
            volume_node: The volume's node.
            grid: The segmentation's grid.
            prompts: The objects; segments of others are deleted unless others have drawn in them.
            wanted: For each label the voxels that its segment shall have from the model; a segment
                that has some and is not named loses them.
            masking: Limits to what may be gained.
        """
        started = perf_counter()
        node, ids = self._segments.node, self._segments.ids
        self._editor.look_at(node, volume_node)
        targets, from_model, labels = {}, {}, {}
        given = {label for label, _ in prompts.entries}
        for label, segment_id in ids.items():
            labels[segment_id] = label
            known = self.model_voxels.get(label)
            if known is not None:
                from_model[segment_id] = known
            if label in wanted:
                targets[segment_id] = wanted[label]
            elif known is not None:
                nothing = ModelVoxels(known.region, np.zeros_like(known.mask_kji))
                before = nothing if label in given else self.adopted.get(label, nothing)
                targets[segment_id] = before
        changes = self._merger.write(node, grid, targets, from_model, masking)
        added, removed = {}, {}
        for segment_id, change in changes.items():
            label = labels[segment_id]
            added[label] = int(np.count_nonzero(change.added))
            removed[label] = int(np.count_nonzero(change.removed))
            if change.from_model is None:
                self.model_voxels.pop(label, None)
            else:
                self.model_voxels[label] = change.from_model
        objects = dict(prompts.objects)
        for label in list(ids):
            if label not in objects and label in self.adopted:
                # It stays in the scene as a segment of others.
                self.model_voxels.pop(label, None)
                self._given_back.add(label)
            elif label not in objects:
                self._delete_empty(grid, label)
        self.overlay.show(node, grid, changes.values())
        return Written(added, removed, perf_counter() - started)

    def _absorb(self, prompts: PromptList, volume: Geometry, grid: SegmentGrid) -> None:
        """Let new marks decide voxels that others changed; see `decided_voxels`."""
        before = None if self._answered is None else self._answered[1]
        for label, voxels in decided_voxels(before, prompts, volume, grid).items():
            node, segment_id = self._segments.node, self._segments.ids.get(label, "")
            known = absorbed(node, segment_id, grid, self.model_voxels.get(label), voxels)
            if known is None:
                self.model_voxels.pop(label, None)
            else:
                self.model_voxels[label] = known
            state = self._remembered.get(self._answered) if self._answered is not None else None
            if state is not None and self._answered is not None:
                packed = {n: kept for n, kept in state.voxels.items() if n != label}
                packed |= {} if known is None else {label: known.packed}
                self._remembered.put(self._answered, Remembered.of(packed))

    def _delete_empty(self, grid: SegmentGrid, label: int) -> None:
        """Delete the segment of an object that is gone, unless others have drawn in it."""
        segment_id = self._segments.ids[label]
        region = segment_bounds(self._segments.node, segment_id, grid)
        if region is None or not read_segment(self._segments.node, segment_id, grid, region).any():
            self._segments.remove(label)
