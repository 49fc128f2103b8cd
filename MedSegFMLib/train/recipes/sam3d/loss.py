"""The loss of SAM3D: Dice and cross-entropy, at three sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

# As in nnU-Net's loss, on which SAM3D's is based.
_SMOOTH = 1e-5


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 minus the mean Dice of the classes without background, plus the cross-entropy.

    Dice is computed over the whole batch (nnU-Net's "batch Dice").

    Args:
        logits: (B, classes, d, h, w).
        labels: (B, d, h, w) int64.
    """
    logits = logits.float()
    likely = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].to(likely.dtype)
    axes = (0, 2, 3, 4)
    shared, either = (likely * truth).sum(axes), likely.sum(axes) + truth.sum(axes)
    dice = (2 * shared + _SMOOTH) / (either + _SMOOTH)
    loss: Tensor = 1 - dice.mean() + functional.cross_entropy(logits, labels)
    return loss


def supervised_loss(answers: Sequence[Tensor], labels: Tensor) -> Tensor:
    """The weighted mean of `class_loss` at full, half and quarter size, with weights that halve.

    At coarser sizes, the labels at the middle of the pixels are used.

    Args:
        answers: logits (B, classes, d, h, w) at each size, the full one first.
        labels: (B, d, h, w) int64 at full size.
    """
    weights = [0.5**n for n in range(len(answers))]
    total = torch.zeros((), device=labels.device)
    for weight, logits in zip(weights, answers, strict=True):
        step = labels.shape[-1] // logits.shape[-1]
        coarse = labels[..., step // 2 :: step, step // 2 :: step]
        total = total + weight / sum(weights) * class_loss(logits, coarse)
    return total
