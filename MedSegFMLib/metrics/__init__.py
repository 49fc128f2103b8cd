"""Agreement of a segmentation with a reference."""

from .challenge import challenge_scores, interaction_auc
from .overlap import dice
from .scores import References, Scores
from .surface import hausdorff95, surface_dice

__all__ = [
    "References",
    "Scores",
    "challenge_scores",
    "dice",
    "hausdorff95",
    "interaction_auc",
    "surface_dice",
]
