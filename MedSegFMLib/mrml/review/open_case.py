"""A case of a batch in the scene: its volume, its segments, and its prompts to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...batch.review.case import ReviewCase
from ...drawing.panels import middle_voxel
from ...model_choice import choice_text
from ...prompts.mask import Mask
from ...prompts.positions import Position
from ...prompts.prompt_list import PromptList
from ...registry import ALIASES
from ...results.ledger import Ledger, digest_of_result, parse_ledger, weights_of
from ...volumes.region import Region
from ...volumes.segmentations.segmentation import Segmentation
from ...volumes.volume import Volume
from ..autosave import Snapshot
from ..logic import SegmentationLogic
from ..nodes.volume_nodes import add_volume_node
from ..prompts.storage import PromptStorage
from ..results.scene_result import file_result, file_segmentation
from ..scene_state import SceneState
from ..segments.model_voxels import ModelVoxels


@dataclass(frozen=True, eq=False)
class ReadCase:
    """A case as it was read.

    Attributes:
        case: The case.
        volume: Its volume.
        segmentation: Its present result on the grid of the volume, with the labels of the prompts.
        ledger: How that was made.
        before: The result that the batch wrote, on the same grid.
    """

    case: ReviewCase
    volume: Volume
    segmentation: Segmentation
    ledger: Ledger
    before: Segmentation


class OpenCase:
    """A case whose volume and segments are in the scene; the scene logic works on it.

    Nothing is predicted until a prompt is added: the segments are those of the file.

    Args:
        logic: The scene logic.
        scene: The vtkMRMLScene.
        found: The case.

    Attributes:
        case, before: As in `ReadCase`.
        volume_node: The vtkMRMLScalarVolumeNode.

    Raises:
        VolumeError, PromptError: The volume cannot be segmented; its node is removed again then.
    """

    def __init__(self, logic: SegmentationLogic, scene: Any, found: ReadCase) -> None:
        self._logic, self._scene, self._ledger = logic, scene, found.ledger
        self._opened = segmentation = found.segmentation
        self.case, self.before = found.case, found.before
        self.volume_node = add_volume_node(scene, found.volume, found.case.name)
        try:
            logic.set_volume(self.volume_node)
            logic.saved.recover(_snapshot(found.case, segmentation, found.ledger))
        except BaseException:
            scene.RemoveNode(self.volume_node)
            raise
        self._segmentation_node = logic.segments.node
        self._digest = self._present_digest()

    @property
    def has_other_weights(self) -> bool:
        """Whether the installed weights are not those that the result was made with."""
        ledger, model = self._ledger, self._logic.requests.model
        options = {name: str(value) for name, value in model.options.items()}
        return weights_of(model.name, options) != dict(ledger.weights)

    @property
    def is_there(self) -> bool:
        """Whether its volume is still in the scene."""
        return self._scene.GetNodeByID(self.volume_node.GetID() or "") is self.volume_node

    def is_changed(self) -> bool:
        """Whether the segments differ from those of the file, by prompts or by hand."""
        return self._present_digest() != self._digest

    def note_saved(self) -> None:
        """The segments as they are now are those of a file."""
        self._digest = self._present_digest()

    def result(self, has_layers: bool) -> Segmentation:
        """The segments as they are now, with their ledger.

        Args:
            has_layers: Whether they may overlap in the file that they are for.
        """
        made = file_result(self._logic, has_layers)
        ledger = parse_ledger(made.ledger, self.case.name)
        # How the volume was read is not known to a scene.
        ledger = replace(ledger, frame=self._ledger.frame, suv=self._ledger.suv)
        if self._is_drawn_by_hand():
            # As a file that was changed after it was written: it goes on from its voxels.
            ledger = replace(ledger, result_sha256="")
        return replace(made, ledger=ledger.to_json())

    def position(self, label: int, slice_k: int) -> Position:
        """The middle of an object on a slice in RAS millimetres; the slice's, if it is not on it.

        Args:
            label: The object.
            slice_k: The index of the slice.
        """
        geometry = self._opened.geometry
        k = min(max(slice_k, 0), geometry.shape_kji[0] - 1)
        j, i = (n // 2 for n in geometry.shape_kji[1:])
        masks = [s.on(geometry)[k] for s in self._opened.segments if s.label == label]
        middle = middle_voxel(masks[0]) if masks else None
        if middle is not None:
            j, i = map(int, middle)
        r, a, s = geometry.ras_from_ijk((i, j, k)).tolist()
        return r, a, s

    def close(self) -> None:
        """Remove the case from the scene, with its prompts."""
        PromptStorage(self._scene).forget(self.volume_node)
        for node in (self._segmentation_node, self.volume_node):
            if node is not None and self._scene.GetNodeByID(node.GetID() or "") is node:
                self._scene.RemoveNode(node)

    def _present_digest(self) -> str:
        return digest_of_result(file_segmentation(self._logic), self._ledger.geometry)

    def _is_drawn_by_hand(self) -> bool:
        """Whether a segment has voxels that are not from an answer, or lacks some that are."""
        work = self._logic.saved.snapshot()
        assert work is not None, "a case is open"
        whole = Region.whole(work.grid.shape_kji)
        for label in work.state.prompts.labels:
            parts = (work.segments.get(label), work.state.model_voxels.get(label))
            held, answered = (None if part is None else part.on(whole) for part in parts)
            if held is None or answered is None:
                either = answered if held is None else held
                if either is not None and either.any():
                    return True
            elif not np.array_equal(held, answered):
                return True
        return False


def _snapshot(case: ReviewCase, segmentation: Segmentation, ledger: Ledger) -> Snapshot:
    """A result as work to go on with; one that was changed by hand goes on from its voxels."""
    options, model = dict(ledger.options), ALIASES.get(ledger.model, ledger.model)
    prompts = ledger.prompts
    if digest_of_result(segmentation, ledger.geometry) != ledger.result_sha256:
        prompts = _starts(prompts, segmentation)
    state = SceneState(
        prompts,
        model,
        model_voxels=(voxels := _voxels(segmentation)),
        geometry=ledger.geometry,
        answered_by=choice_text(model, options),
        options=options,
    )
    return Snapshot(state, case.name, segmentation.geometry, voxels)


def _starts(prompts: PromptList, segmentation: Segmentation) -> PromptList:
    """The objects with their present voxels as masks to start from instead of their prompts."""
    masks = {
        segment.label: Mask.from_array(segment.on(segmentation.geometry), segmentation.geometry)
        for segment in segmentation.segments
        if segment.voxels
    }
    kept = ((n, p) for n, p in prompts.entries if n not in masks)
    starts = ((n, masks[n]) for n in prompts.labels if n in masks)
    return PromptList(prompts.objects, (*starts, *kept))


def _voxels(segmentation: Segmentation) -> Mapping[int, ModelVoxels]:
    return {
        segment.label: ModelVoxels(segment.region, np.ascontiguousarray(segment.mask_kji, bool))
        for segment in segmentation.segments
    }
