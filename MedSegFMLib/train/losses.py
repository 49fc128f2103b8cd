"""Loss functions that several recipes use."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

_BCE_WEIGHT = 2.0
# Smooths the Dice of objects of a few voxels.
_SMOOTH_VOXELS = 1.0


def soft_dice(probabilities: Tensor, target: Tensor) -> Tensor:
    """Soft Dice of probabilities and a target.

    Args:
        probabilities: (B, 1, K, J, I), from 0 to 1.
        target: the same shape and range.

    Returns:
        (B,) float.
    """
    axes = (1, 2, 3, 4)
    both = (probabilities * target).sum(axes)
    each = probabilities.sum(axes) + target.sum(axes)
    result: Tensor = (2 * both + _SMOOTH_VOXELS) / (each + _SMOOTH_VOXELS)
    return result


def segmentation_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice loss plus twice the binary cross-entropy, averaged over the batch.

    The ENSAM paper, section 2.3.

    Args:
        logits: (B, 1, K, J, I) float32.
        target: the same shape and dtype, from 0 to 1.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, target)
    dice = soft_dice(logits.sigmoid(), target).mean()
    result: Tensor = 1 - dice + _BCE_WEIGHT * cross_entropy
    return result
