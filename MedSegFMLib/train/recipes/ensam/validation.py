"""Scores of predictions for objects that training never uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ....progress import Progress
from ...batch_tensors import on_device
from ...losses import soft_dice
from .samples import Batch


@dataclass(frozen=True, eq=False)
class Validation:
    """The scores and some of the predictions.

    Attributes:
        dice: the mean over all objects, after the box and after each click.
        first: the logits of the first batch, (B, 1, n, n, n), after the box.
        last: the same after the last click.
    """

    dice: list[float]
    first: Tensor
    last: Tensor


def validate(
    answers_to: Callable[[Batch, int], list[Tensor]],
    batches: Sequence[Batch],
    device: torch.device,
    progress: Progress,
) -> Validation:
    """Predict and score batches.

    Args:
        answers_to: returns the logits after each prompt of a batch, given a seed for its clicks.
        batches: one batch or more.
        device: the device.
        progress: reports progress.
    """
    scores, shown = [], []
    for number, batch in enumerate(batches):
        progress(number / len(batches), "Scoring objects")
        moved = on_device(batch, device)
        answers = answers_to(moved, number)
        truth = (moved.target > 0.5).float()
        scores.append(torch.stack([soft_dice((a > 0).float(), truth) for a in answers], dim=1))
        if number == 0:
            shown = [answers[0].cpu(), answers[-1].cpu()]
    return Validation(torch.cat(scores).mean(dim=0).tolist(), shown[0], shown[1])
