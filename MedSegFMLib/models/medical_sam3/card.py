"""The card of SAM3 without a tracker: text and boxes, but no clicks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...errors import PromptError
from ...prompts.types import Point, Prompt
from ...segmenter import ModelCard

# The files that contain a tracker, for error messages.
WITH_TRACKER = "SAM3's own sam3.pt or the model.safetensors of transformers' Sam3VideoModel"


@dataclass(frozen=True)
class CardWithoutClicks(ModelCard):
    """The card of a loaded model without a tracker, with an error message for clicks."""

    def check_takes(self, prompts: Iterable[Prompt]) -> None:
        """As `ModelCard.check_takes`; for a click the PromptError names weights that take it."""
        given = list(prompts)
        if any(isinstance(prompt, Point) for prompt in given):
            raise PromptError(
                f"The model {self.name} takes clicks with SAM3's tracker alone, which these "
                f"weights lack or propagation=boxes leaves out; give {WITH_TRACKER}, or words or "
                "a box instead."
            )
        super().check_takes(given)


def without_clicks(card: ModelCard) -> ModelCard:
    """The same card for weights without a tracker."""
    kept = tuple(name for name in card.prompts if name != "point")
    return CardWithoutClicks(**{**vars(card), "prompts": kept})


def text_alone(card: ModelCard) -> ModelCard:
    """The same card for the published protocol, which takes words only."""
    return replace(card, prompts=("text",))
