"""How well a segmentation agrees with a reference."""

from MedSegFMLib.metrics.challenge import challenge_scores, interaction_auc
from MedSegFMLib.metrics.overlap import dice
from MedSegFMLib.metrics.surface import hausdorff95, surface_dice

__all__ = ["challenge_scores", "dice", "hausdorff95", "interaction_auc", "surface_dice"]
