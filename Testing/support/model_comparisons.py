"""Comparisons of models without a worker, and what they found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scene_helpers import SessionClient
from waiting import wait_until

from MedSegFMLib.errors import ModelError
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.comparison.results import Stage
from MedSegFMLib.mrml.comparison.table import table_of
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Text
from MedSegFMLib.worker.events import Cost, Event, Failed, Predicted, Request

MODELS = ("ensam", "randomwalk", "ellipsoid")


class ModelsClient(SessionClient):
    """Each model sees the object a voxel further along i than the one before; "sam" has no weights.

    asked: the models of the requests that were answered, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, bool]] = []

    def answer(self, number: int, request: Request) -> Event:
        self.asked.append((request.model, request.consistency))
        if request.model == "sam":
            return Failed(number, ModelError("No trained weights of sam are installed."))
        event = super().answer(number, replace(request, prompts=boxed(request.prompts)))
        if not isinstance(event, Predicted):
            return event
        is_shifted = request.clear_cache and request.model in MODELS
        shift = MODELS.index(request.model) if is_shifted else 0
        answers = {
            n: replace(a, offset_kji=(*a.offset_kji[:2], a.offset_kji[2] + shift))
            for n, a in event.answers.items()
        }
        return Predicted(number, answers, Cost(0.5 + shift, 1.0, 300_000_000, False))


def boxed(prompts: PromptList) -> PromptList:
    """The prompts without words, which the fake model does not know."""
    kept = tuple(e for e in prompts.entries if not isinstance(e[1], Text))
    return replace(prompts, entries=kept)


def finish(logic: Any, comparison: ModelComparison) -> None:
    """Pump until nothing is computed any more."""

    def is_finished() -> bool:
        if not comparison.is_computing:
            return True
        logic.pump()
        comparison.pump()
        return False

    wait_until(is_finished, describe=lambda: comparison.results, interval=0.002)


def mask_of(comparison: ModelComparison, model: str, label: int = 1) -> np.ndarray:
    """The voxels that a model found, on the whole volume."""
    found = np.zeros(comparison.subject.volume.geometry.shape_kji, bool)
    mask = comparison.result(model).masks.get(label)
    if mask is not None:
        found[mask.region.slices] = mask.mask_kji
    return found


def row(comparison: ModelComparison, model: str, label: int = 1) -> dict[str, Any]:
    """A row of the table by its headings."""
    table = table_of(comparison, [label])
    (values,) = [r for r in table.rows if r[1] == comparison.result(model).title]
    return dict(zip([c.heading for c in table.columns], values, strict=True))


def stages(comparison: ModelComparison) -> list[Stage]:
    return [found.stage for found in comparison.results]
