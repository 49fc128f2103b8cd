"""Predictions of all objects of a prompt list, each with the voxels that the others leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..progress import Progress, parts_of
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Line, is_positive
from ..prompts.voxels import to_voxels
from ..segmenter import Prediction, Segmenter
from ..volumes.region import Region
from ..volumes.volume import Volume
from .overlaps import resolve_overlaps
from .predictor import Predictor
from .region_limit import Note
from .region_of_interest import prompt_region
from .shared_starts import SharedStarts
from .straight_segmenter import with_right_angles


class ListPredictor:
    """A model on a volume, for any list of prompts.

    Args:
        segmenter: the model; a sheared volume is segmented at right angles.
        volume: the volume.
        budget_bytes: as for `Predictor`.
        note: as for `Predictor`.
    """

    def __init__(
        self, segmenter: Segmenter, volume: Volume, budget_bytes: int, note: Note | None = None
    ) -> None:
        self._segmenter = segmenter
        self._volume = volume
        straight = with_right_angles(segmenter, volume.geometry)
        self._predictor = Predictor(straight, volume, budget_bytes, note)

    def predict(
        self,
        prompts: PromptList,
        progress: Progress,
        overlapping: bool = False,
        redraw: bool = False,
        regions: Mapping[int, Region] | None = None,
    ) -> dict[int, Prediction]:
        """Every object for which more than background is marked; see `Session.predict_all`."""
        geometry = self._volume.geometry
        shared_starts = SharedStarts.of(prompts, geometry)
        steps = {label: shared_starts.steps(label, prompts, geometry) for label in prompts.labels}
        steps = {
            n: taken for n, taken in steps.items() if taken and any(map(is_positive, taken[-1]))
        }
        answers: dict[int, Prediction] = {}
        shared = self._shared_region(prompts)
        shares = parts_of(progress, len(steps))
        for (label, taken), share in zip(steps.items(), shares, strict=True):
            region = shared if regions is None else regions[label]
            fixed = regions is not None
            answers[label] = self._predictor.answer(taken, region, share, redraw, fixed)
        marks = {label: to_voxels(taken[-1], geometry) for label, taken in steps.items()}
        if self._segmenter.card.can_predict_empty:
            # A box in which the model predicts nothing stays empty instead of being filled.
            marks = {
                label: item if (answers[label].logits_kji > 0).any() else replace(item, boxes=())
                for label, item in marks.items()
            }
        if overlapping:
            resolved = {
                label: resolve_overlaps({label: answer}, {label: marks[label]})[label]
                for label, answer in answers.items()
            }
        else:
            resolved = resolve_overlaps(answers, marks, shared_starts)
        progress(1.0, "Resolving overlaps")
        return resolved

    def _shared_region(self, prompts: PromptList) -> Region | None:
        """The region of all boxes and marks, if the model segments all objects in one region."""
        rule = self._segmenter.card.region_rule
        given = [prompt for _, prompt in prompts.entries]
        if not rule.shared or not any(isinstance(p, Box | Line) for p in given):
            return None
        return prompt_region(given, self._volume.geometry, rule)
