"""The settings of the recipe `consistent`. Imports without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ....errors import TrainingError
from ...settings_checks import check_at_least, check_positive, check_shares
from ..ensam.settings import EnsamSettings


@dataclass(frozen=True)
class AgreementSettings:
    """Those of the agreement between views, beside those of a recipe.

    Attributes:
        consistency: the weight of the agreement; 0 trains with labels alone.
        ramp: the samples over which that weight rises from 0.
        compared: the values compared between views: probabilities, logits, or masks, whose gradient
            is that of the probabilities.
        sharpness: the factor of logits before they become compared probabilities or masks.
        margin: the difference up to which views are taken to agree.
        certainty: the weight, within the agreement, of the entropy of both views.
        unlabelled: a folder of volumes without labels, on which the agreement alone is trained,
            beside the labelled batch of the same step.
        unlabelled_weight: the weight of their agreement relative to that of labelled batches.
    """

    consistency: float = 1.0
    ramp: int = 2000
    compared: Literal["probabilities", "logits", "masks"] = "probabilities"
    sharpness: float = 1.0
    margin: float = 0.0
    certainty: float = 0.0
    unlabelled: Path | None = None
    unlabelled_weight: float = 1.0

    def share_after(self, samples: int) -> float:
        """The weight of the agreement after a number of samples, on its rise to `consistency`."""
        return self.consistency * (min(1.0, samples / self.ramp) if self.ramp else 1.0)

    def check_agreement(self) -> None:
        """Refuse values out of range with a TrainingError."""
        check_at_least(0, self, "consistency", "ramp", "certainty", "unlabelled_weight")
        check_positive(self, "sharpness")
        check_shares(self, "margin")


@dataclass(frozen=True)
class ConsistentSettings(AgreementSettings, EnsamSettings):
    """Those of the recipe `ensam`, and those of the agreement between views."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_agreement()
        if self.unlabelled is not None and self.native:
            raise TrainingError(
                "native is true, but volumes without labels are seen on cells; unlabelled= needs "
                "native=false."
            )
