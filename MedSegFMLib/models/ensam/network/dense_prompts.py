"""Prompts drawn as images beside the tokens, for voxelwise use in the decoder.

nnInteractive (Isensee et al., 2025, arXiv 2503.08373) passes all prompts to its network as channels
at full resolution. Here they are added in the decoder, so that the image is still encoded once.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import convolution, level_widths
from .config import BACKGROUND, BOX_START, FOREGROUND

# A click is drawn as a ball that fades to 0.6 at this distance in voxels.
_CLICK_SIGMA_VOXELS = 1.5
# Previous logits are compressed to -1 to 1; this one becomes 0.76.
_PREVIOUS_SCALE = 4.0

# Ellipsoid and cuboid of the boxes, clicks on object and background, previous logits.
CHANNELS = 5


class DensePrompts(nn.Module):
    """Features of the drawn prompts at each level of the network, to be added to the image's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = level_widths(width)
        self.stem = convolution(CHANNELS, widths[0])
        self.downs = nn.ModuleList(
            convolution(wide, wider, stride=2) for wide, wider in pairwise(widths)
        )

    def forward(self, channels: Tensor) -> list[Tensor]:
        """The features at each level, finest first, of `prompt_channels` (B, 5, K, J, I)."""
        features = self.stem(channels)
        levels = [features]
        for down in self.downs:
            features = down(functional.relu(features))
            levels.append(features)
        return levels


def prompt_channels(kinds: Tensor, positions_kji: Tensor, previous_logits: Tensor) -> Tensor:
    """The channels (B, 5, K, J, I) of prompt tokens and previous logits.

    Every channel is a sum over tokens of a product over axes, which avoids an array of tokens times
    voxels. A box is two tokens, one after the other.

    Args:
        kinds: (B, n).
        positions_kji: (B, n, 3).
        previous_logits: (B, 1, K, J, I).
    """
    # The last token starts no box; its own position as the end keeps all widths positive.
    following = torch.cat((positions_kji[:, 1:], positions_kji[:, -1:]), dim=1)
    # From the centres of the first and last voxel; the box ends half a voxel beyond them.
    half_widths = ((following - positions_kji).abs() + 1) / 2
    middles = (following + positions_kji) / 2
    boxes = (kinds == BOX_START).to(previous_logits.dtype)
    balls = torch.stack([(kinds == kind) for kind in (FOREGROUND, BACKGROUND)], dim=1)

    along_ellipsoid, along_cuboid, along_ball = [], [], []
    for axis, count in enumerate(previous_logits.shape[2:]):
        voxels = torch.arange(count, device=kinds.device, dtype=torch.float32)
        beyond = (voxels - middles[:, :, axis, None]) / half_widths[:, :, axis, None]
        along_ellipsoid.append(torch.exp(-beyond.square()))
        outside = (beyond.abs() - 1) * half_widths[:, :, axis, None]
        along_cuboid.append((0.5 - outside).clamp(0, 1))
        steps = (voxels - positions_kji[:, :, axis, None]) / _CLICK_SIGMA_VOXELS
        along_ball.append(torch.exp(-0.5 * steps.square()))
    channels = [
        _summed(boxes[:, None], along_ellipsoid),
        _summed(boxes[:, None], along_cuboid),
        _summed(balls.to(previous_logits.dtype), along_ball),
    ]
    previous = torch.tanh(previous_logits / _PREVIOUS_SCALE)
    return torch.cat((torch.cat(channels, dim=1).clamp(max=1), previous), dim=1)


def _summed(weights: Tensor, along: list[Tensor]) -> Tensor:
    """(B, c, K, J, I): sum over tokens n of weights (B, c, n) times a factor (B, n, side) an axis.

    Written as matrix products, which every runtime supports.
    """
    k, j, i = (factor.shape[2] for factor in along)
    plane = along[1][:, :, :, None] * along[2][:, :, None, :]
    rows = (weights[:, :, None, :] * along[0].transpose(1, 2)[:, None]).flatten(1, 2)
    return torch.matmul(rows, plane.flatten(2)).unflatten(1, (-1, k)).unflatten(3, (j, i))
