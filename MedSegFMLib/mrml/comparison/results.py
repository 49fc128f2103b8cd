"""What each model of a comparison made of the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ...prompts.prompt_list import PromptList
from ...prompts.types import Text
from ...segmenter import ModelCard
from ...volumes.region import Region
from ...worker.events import Cost, Predicted
from ..segments.model_voxels import ModelVoxels


class Stage(Enum):
    """Where a model of a comparison is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model's answers.

    model: its name in the registry. title: what the user calls it.
    masks: for each label with voxels these, on the volume's grid.
    cost: what they took. agreements: for each label how well the model's own planes agree, 0 to 1,
        None where it looks at fewer than two; a label that was not measured is not in it.
    sentence: why it failed, or what else there is to know.
    """

    model: str
    title: str
    stage: Stage = Stage.WAITING
    masks: Mapping[int, ModelVoxels] = field(default_factory=dict)
    cost: Cost | None = None
    agreements: Mapping[int, float | None] = field(default_factory=dict)
    sentence: str = ""

    def answered(self, event: Predicted) -> ModelResult:
        """With the answers to the prompts; the model goes on, or not, as before."""
        masks = {
            label: ModelVoxels(answer.region, answer.mask_kji.astype(bool))
            for label, answer in event.answers.items()
            if answer.region is not None
        }
        return replace(self, masks=masks, cost=event.cost)

    def with_agreements(self, event: Predicted) -> ModelResult:
        """With the agreement of the model's planes."""
        found = {n: a.consistency for n, a in event.answers.items() if a.consistency is not None}
        return replace(self, agreements={n: c.agreement for n, c in found.items()})

    def noted(self, sentence: str) -> ModelResult:
        """With one more sentence, where it is new."""
        if sentence in self.sentence:
            return self
        return replace(self, sentence=" ".join(filter(None, (self.sentence, sentence))))


def prompts_for(card: ModelCard, prompts: PromptList) -> PromptList:
    """The prompts as a model gets them: one that takes words alone gets the objects' names.

    Raises PromptError where the model does not take one of them.
    """
    if card.prompts == ("text",):
        entries: list[tuple[int, Text]] = []
        for label, name in prompts.objects:
            given = [prompt for owner, prompt in prompts.entries if owner == label]
            texts = [prompt for prompt in given if isinstance(prompt, Text)]
            if given:
                entries += [(label, text) for text in texts or [Text(name)]]
        return replace(prompts, entries=tuple(entries))
    card.check_takes([prompt for _, prompt in prompts.entries])
    return prompts


def around(masks: list[ModelVoxels]) -> Region | None:
    """The smallest region that holds all masks; None where there is none."""
    if not masks:
        return None
    return Region.around([mask.region for mask in masks])
