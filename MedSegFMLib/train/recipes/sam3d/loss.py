"""What SAM3D's training minimises: Dice and cross-entropy, at three sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

# As in nnU-Net's loss, from which SAM3D's is made.
_SMOOTH = 1e-5


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 less the mean Dice of the classes but background, plus the cross-entropy.

    logits: (B, classes, d, h, w); labels: (B, d, h, w) int64. Dice is that of the batch as a whole
    (nnU-Net's "batch Dice").
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
    """The mean of `class_loss` at full, half and quarter size, each weighing half of that before.

    answers: logits (B, classes, d, h, w) at each size, the full one first. Of the labels those at
    the middle of coarser pixels are taken.
    """
    weights = [0.5**n for n in range(len(answers))]
    total = torch.zeros((), device=labels.device)
    for weight, logits in zip(weights, answers, strict=True):
        step = labels.shape[-1] // logits.shape[-1]
        own = labels[..., step // 2 :: step, step // 2 :: step]
        total = total + weight / sum(weights) * class_loss(logits, own)
    return total
