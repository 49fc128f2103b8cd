"""Agreement of a segmentation with a reference."""

from .challenge import challenge_scores, instance_f1, interaction_auc, text_scores
from .overlap import dice
from .scores import References, Scores
from .surface import hausdorff95, surface_dice

__all__ = [
    "References",
    "Scores",
    "challenge_scores",
    "dice",
    "hausdorff95",
    "instance_f1",
    "interaction_auc",
    "surface_dice",
    "text_scores",
]
