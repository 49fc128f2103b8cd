"""Clicks for a whole batch at once, on the device, near the middle of the largest error.

The challenge's own rule (`simulate.next_click`), that of the paper, labels components and measures
distances on the CPU, one object at a time; by default, training places a click at the deepest voxel
of the error instead.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ....simulate.clicks import next_click

# Erosions of an error; more than the widest error in a region of 96 cells needs.
_MOST_PEELS = 24
# Among equally deep voxels the choice is random; a voxel this much shallower may be chosen too.
_RANDOM_VOXELS = 0.5


def deepest(region: Tensor, noise: Tensor) -> Tensor:
    """The indices of a voxel deep inside each region.

    Args:
        region: (B, 1, K, J, I) bool; an empty region gives an arbitrary voxel.
        noise: the same shape, float32, 0 to 1.

    Returns:
        (B, 3) int64.
    """
    depth = _depth(region)
    score = (depth + _RANDOM_VOXELS * noise).masked_fill(~region, -1.0)
    flat = score.flatten(1).argmax(dim=1)
    j, i = region.shape[3:]
    return torch.stack((flat // (j * i), flat // i % j, flat % i), dim=1)


def next_clicks(logits: Tensor, target: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The next clicks; if a mask is correct everywhere, a click into the object's middle.

    Args:
        logits: (B, 1, K, J, I).
        target: the same shape.
        noise: the same shape, float32, 0 to 1.

    Returns:
        The voxels, (B, 3) int64, and whether each is on the object, (B,) bool.
    """
    truth = target > 0.5
    wrong = (logits > 0) != truth
    right = ~wrong.flatten(1).any(dim=1)
    voxels = deepest(torch.where(right[:, None, None, None, None], truth, wrong), noise)
    k, j, i = voxels.unbind(dim=1)
    return voxels, truth[torch.arange(len(voxels), device=voxels.device), 0, k, j, i]


def largest_error_clicks(logits: Tensor, target: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """As `next_clicks`, but each in the middle of the largest error, by the challenge's rule.

    The first number of an object's noise seeds the choice among equally deep voxels.
    """
    truths = (target[:, 0] > 0.5).cpu().numpy()
    masks = (logits[:, 0] > 0).cpu().numpy()
    voxels, signs = [], []
    for truth, mask, own_noise in zip(truths, masks, noise, strict=True):
        seed = int(float(own_noise.flatten()[0]) * (1 << 24))
        clicked = next_click(truth, mask, seed) or next_click(truth, np.zeros_like(truth), seed)
        # A target without any voxel above a half, and an empty mask.
        voxel, positive = clicked or ((0, 0, 0), False)
        voxels.append(voxel)
        signs.append(positive)
    device = logits.device
    return torch.tensor(voxels, device=device), torch.tensor(signs, device=device)


def _depth(region: Tensor) -> Tensor:
    """The number of erosions, with diagonal neighbours, after which each voxel is removed."""
    left = functional.pad(region, (1, 1, 1, 1, 1, 1))
    depth = left.to(torch.uint8)
    for _ in range(min(_MOST_PEELS, max(region.shape[2:]) // 2)):
        for axis in (2, 3, 4):
            left = _eroded(left, axis)
        depth += left
    return depth[:, :, 1:-1, 1:-1, 1:-1].float()


def _eroded(region: Tensor, axis: int) -> Tensor:
    """A mask without voxels that have a neighbour outside along an axis; its ends are outside."""
    inner = region.shape[axis] - 2
    middle = region.narrow(axis, 1, inner)
    result = torch.zeros_like(region)
    torch.logical_and(
        middle & region.narrow(axis, 0, inner),
        region.narrow(axis, 2, inner),
        out=result.narrow(axis, 1, inner),
    )
    return result
