"""The results of the models of a comparison for the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ...prompts.mask import Mask
from ...prompts.prompt_list import PromptList
from ...prompts.types import Prompt, Text, is_start
from ...segmenter import ModelCard
from ...volumes.region import Region
from ...worker.events import Cost, Predicted
from ..segments.model_voxels import ModelVoxels


class Stage(Enum):
    """The stage of a model in a comparison."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model's answers.

    Attributes:
        model: Its text, the name in the registry with its options; see `model_choice`.
        title: Its title, with its options.
        stage: Whether it waits, runs or has ended.
        masks: The voxels of each object that has some, by label, on the volume's grid.
        cost: The time and memory that the answers took; None before they are there.
        agreements: How well the model's own planes agree on each object, by label, 0 to 1; None if
            it uses fewer than two planes. An object that was not measured is not in it.
        sentence: Why it failed, or notes of the model.
    """

    model: str
    title: str
    stage: Stage = Stage.WAITING
    masks: Mapping[int, ModelVoxels] = field(default_factory=dict)
    cost: Cost | None = None
    agreements: Mapping[int, float | None] = field(default_factory=dict)
    sentence: str = ""

    def answered(self, event: Predicted) -> ModelResult:
        """The result with the answers to the prompts; the stage stays."""
        masks = {
            label: ModelVoxels(answer.region, answer.mask_kji.astype(bool))
            for label, answer in event.answers.items()
            if answer.region is not None
        }
        return replace(self, masks=masks, cost=event.cost)

    def with_agreements(self, event: Predicted) -> ModelResult:
        """The result with the agreement of the model's planes."""
        found = {n: a.consistency for n, a in event.answers.items() if a.consistency is not None}
        return replace(self, agreements={n: c.agreement for n, c in found.items()})

    def noted(self, sentence: str) -> ModelResult:
        """The result with one more sentence, unless it has that already."""
        if sentence in self.sentence:
            return self
        return replace(self, sentence=" ".join(filter(None, (self.sentence, sentence))))


def prompts_for(card: ModelCard, prompts: PromptList) -> PromptList:
    """The prompts as a model gets them; a text-only model gets the objects' names.

    Raises:
        PromptError: If the model does not take one of them.
    """
    if card.prompts == ("text",):
        entries: list[tuple[int, Prompt]] = []
        for label, name in prompts.objects:
            given = prompts.own(label)
            texts: list[Prompt] = [prompt for prompt in given if isinstance(prompt, Text)]
            limits = [p for p in given if isinstance(p, Mask) and not is_start(p)]
            if given:
                entries += [(label, p) for p in (*(texts or [Text(name)]), *limits)]
        return replace(prompts, entries=tuple(entries))
    card.check_takes([prompt for _, prompt in prompts.entries])
    return prompts


def around(masks: list[ModelVoxels]) -> Region | None:
    """The smallest region that holds all masks; None if there are none."""
    if not masks:
        return None
    return Region.enclosing([mask.region for mask in masks])
