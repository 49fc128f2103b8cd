"""The steps of an object: a prediction after some of its prompts, as a cache keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from ..prompts.types import Prompt
from ..segmenter import Prediction
from ..volumes.region import Region
from .looks import Look, joined
from .start import limited


@dataclass(frozen=True)
class PredictedStep:
    """A prediction in one region.

    Attributes:
        prediction: the prediction.
    """

    prediction: Prediction

    @property
    def region(self) -> Region:
        """The region of the prediction."""
        return self.prediction.region

    @property
    def nbytes(self) -> int:
        """The memory of the prediction."""
        return self.prediction.nbytes


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
    def prediction(self) -> Prediction:
        """The union of the looks, made anew each time.

        It is not kept: looks that are far from each other are small, the region around them is not.
        """
        return limited(joined(self.looks), self.prompts)

    @property
    def region(self) -> Region:
        """The region around all looks."""
        return Region.enclosing([look.prediction.region for look in self.looks])

    @property
    def nbytes(self) -> int:
        """The memory of the looks."""
        return sum(look.prediction.nbytes for look in self.looks)
