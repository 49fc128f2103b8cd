"""What SAM3 takes where its weights hold no tracker: words and boxes, but no clicks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import PromptError
from ...prompts.types import Point, Prompt
from ...segmenter import ModelCard

# Where the weights of a tracker are to be had, as messages say it.
WITH_TRACKER = "SAM3's own sam3.pt or the model.safetensors of transformers' Sam3VideoModel"


@dataclass(frozen=True)
class CardWithoutClicks(ModelCard):
    """The card of a loaded model without a tracker, which says what clicks need."""

    def check_takes(self, prompts: Iterable[Prompt]) -> None:
        """As `ModelCard.check_takes`; for a click PromptError names weights that take it."""
        held = list(prompts)
        if any(isinstance(prompt, Point) for prompt in held):
            raise PromptError(
                f"The model {self.name} takes clicks with SAM3's tracker alone, which these "
                f"weights lack or propagation=boxes leaves out; give {WITH_TRACKER}, or words or "
                "a box instead."
            )
        super().check_takes(held)


def without_clicks(card: ModelCard) -> ModelCard:
    """The same card for weights without a tracker."""
    kept = tuple(name for name in card.prompts if name != "point")
    return CardWithoutClicks(**{**vars(card), "prompts": kept})
