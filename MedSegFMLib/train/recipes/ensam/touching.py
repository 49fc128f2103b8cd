"""Objects that touch, trained together: the click of one is background for the others.

Sessions do the same with several objects (`prompts.types.as_background`, `session.overlaps`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ....models.ensam.network.config import BACKGROUND
from ....models.ensam.network.network import EnsamPrompts

# A logit below 0, for voxels that another object has.
_LOST = -1.0


def touching_labels(labels: Tensor, label: int, most: int, host: np.random.Generator) -> list[int]:
    """Up to `most` other labels with a voxel beside, also diagonally, one of `label`, at random.

    Args:
        labels: (K, J, I) int16; 0 is no object.
        label: the label.
        most: the largest number to return.
        host: the random generator.
    """
    inside = (labels == label)[None, None].float()
    grown = functional.max_pool3d(inside, 3, stride=1, padding=1)[0, 0] > 0
    beside = labels[grown].unique().tolist()
    others = [int(other) for other in beside if other not in (0, label)]
    return [int(other) for other in host.permutation(others)[:most]]


def contested_logits(logits: Tensor, group: Tensor) -> Tensor:
    """Logits in which a voxel belongs to no object if another of the group has a higher one.

    Args:
        logits: (B, 1, K, J, I).
        group: (B,) int64, the group of each object.
    """
    resolved = logits.clone()
    for number in group.unique().tolist():
        members = group == number
        own = logits[members]
        highest = own.amax(dim=0, keepdim=True)
        resolved[members] = torch.where((own < highest) & (own > 0), _LOST, own)
    return resolved


def with_others_clicks(
    prompts: EnsamPrompts, voxels: Tensor, positive: Tensor, group: Tensor
) -> EnsamPrompts:
    """Prompts with the clicks on other objects of the group added as background.

    Args:
        prompts: the prompts of B objects.
        voxels: (B, 3), the last click of each.
        positive: (B,) bool, whether it is on the object.
        group: (B,) int64.
    """
    same = group[:, None] == group[None]
    same.fill_diagonal_(False)
    others = int(same.sum(dim=1).max())
    if prompts.used is None:
        prompts = EnsamPrompts(
            prompts.kinds, prompts.positions_kji, torch.ones_like(prompts.kinds, dtype=torch.bool)
        )
    assert prompts.used is not None
    # The members of each object's group first, in their order; the rest is not used.
    order = same.int().argsort(dim=1, descending=True, stable=True)[:, :others]
    used = same.gather(1, order) & positive[order]
    return EnsamPrompts(
        torch.cat((prompts.kinds, torch.full_like(order, BACKGROUND)), dim=1),
        torch.cat((prompts.positions_kji, voxels[order].float()), dim=1),
        torch.cat((prompts.used, used), dim=1),
    )
