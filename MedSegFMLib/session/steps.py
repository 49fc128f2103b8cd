"""The steps of an object: a prediction after some of its prompts, as a cache keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..prompts.types import Prompt, is_positive
from ..segmenter import Prediction
from ..volumes.masks import bounding_box
from ..volumes.region import Region
from .looks import Look, joined
from .start import limited


@dataclass(frozen=True)
class PredictedStep:
    """A prediction in one region.

    Attributes:
        found: the model's own prediction.
        prompts: the prompts, which limit it.
    """

    found: Prediction
    prompts: tuple[Prompt, ...]

    @property
    def prediction(self) -> Prediction:
        """The found voxels, as masks to avoid or to keep limit them, made anew each time.

        It is not kept: a frozen part may be far larger than the region of the model.
        """
        return limited(self.found, self.prompts)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The region of the model, which that of the next step contains."""
        return (self.found.region,)

    @property
    def nbytes(self) -> int:
        """The memory of the prediction."""
        return self.found.nbytes


@dataclass(frozen=True)
class LookedStep:
    """The looks of a model that chooses its regions.

    Attributes:
        looks: the looks, at least one.
        prompts: the prompts, which limit their union.
    """

    looks: tuple[Look, ...]
    prompts: tuple[Prompt, ...]

    @property
    def found(self) -> Prediction:
        """The union of the looks, made anew each time.

        It is not kept: looks that are far from each other are small, the region around them is not.
        """
        return joined(self.looks)

    @property
    def prediction(self) -> Prediction:
        """The found voxels, as masks to avoid or to keep limit them."""
        return limited(self.found, self.prompts)

    @property
    def regions(self) -> tuple[Region, ...]:
        """Where the looks found something, which the region of the next step contains.

        A box that follows says how large the object is, better than the regions of the looks do.
        """
        seen = [
            (look.prediction, bounding_box(look.prediction.logits_kji > 0)) for look in self.looks
        ]
        return tuple(
            Region.from_slices(box).shifted(prediction.offset_kji)
            for prediction, box in seen
            if box is not None
        )

    @property
    def nbytes(self) -> int:
        """The memory of the looks."""
        return sum(look.prediction.nbytes for look in self.looks)


def from_the_first_shown(taken: Sequence[tuple[Prompt, ...]]) -> Sequence[tuple[Prompt, ...]]:
    """The prompts after each step, from the first step on at which one shows the object.

    Before it, with background and voxels to avoid alone, a model knows nothing of where the object
    is: its answer would be the start of those to later prompts, in a region that may be anywhere.

    Args:
        taken: the prompts after each step, at least one.

    Returns:
        The steps from that one on; the last one if no prompt shows the object.
    """
    shown = (n for n, prompts in enumerate(taken) if any(map(is_positive, prompts)))
    return taken[next(shown, len(taken) - 1) :]
