"""The convolutional half of ENSAM: a SegResNet with four levels, without biases.

Myronenko, "3D MRI brain tumor segmentation using autoencoder regularization", 2018, with instance
instead of group norm. Arrays are (B, C, K, J, I).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ....progress import Progress
from ...common.torch_convolution import Convolution3d
from .config import EnsamConfig, Skip

_PREVIOUS_WIDTHS = (4, 16, 64)
# With this bias an untrained network predicts background nearly everywhere, as most voxels are.
_HEAD_BIAS = -5.0


def level_widths(width: int) -> tuple[int, int, int, int]:
    """The channels of the four levels, finest first."""
    return width, 2 * width, 4 * width, 8 * width


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> Convolution3d:
    """A convolution without bias that keeps the size, or divides it by `stride`."""
    return Convolution3d(inputs, outputs, size, stride, padding=size // 2, bias=False)


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), act: instance norm with learned scale and shift, then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.InstanceNorm3d(width, affine=True) for _ in range(2))
        self.convolutions = nn.ModuleList(convolution(width, width) for _ in range(2))

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, K, J, I) to the same shape."""
        update = features
        for norm, layer in zip(self.norms, self.convolutions, strict=True):
            update = layer(functional.relu(norm(update), inplace=True))
        return features + update


class Encoder(nn.Module):
    """The image at four levels; each has half the size of the previous one and twice its width."""

    def __init__(self, config: EnsamConfig) -> None:
        super().__init__()
        widths = level_widths(config.width)
        counts = (1, 1, config.depth, 2 * config.depth)
        self.stem = convolution(1, widths[0])
        self.downs = nn.ModuleList(
            convolution(wide, wider, stride=2) for wide, wider in pairwise(widths)
        )
        self.levels = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(widths, counts, strict=True)
        )

    def forward(self, image: Tensor, progress: Progress) -> list[Tensor]:
        """The features of each level, finest first, of an image (B, 1, K, J, I)."""
        features = self.stem(image)
        outputs: list[Tensor] = []
        for number, level in enumerate(self.levels):
            progress(number / len(self.levels), "Encoding the image")
            if number:
                features = self.downs[number - 1](features)
            features = level(features)
            outputs.append(features)
        return outputs


class PreviousEncoder(nn.Module):
    """The previous logits at the coarsest level, to be added to the embedding.

    There are no biases, so that logits of 0 everywhere, which stand for none, add exactly nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (1, *_PREVIOUS_WIDTHS)
        self.downs = nn.ModuleList(
            convolution(wide, wider, stride=2) for wide, wider in pairwise(widths)
        )
        self.out = convolution(widths[-1], level_widths(width)[-1], size=1)

    def forward(self, logits: Tensor) -> Tensor:
        """(B, 1, K, J, I) to (B, 128, K/8, J/8, I/8)."""
        for layer in self.downs:
            logits = functional.relu(layer(logits), inplace=True)
        result: Tensor = self.out(logits)
        return result


class Decoder(nn.Module):
    """From the coarsest level to one logit per voxel, with the encoder's features on the way."""

    def __init__(self, skip: Skip, width: int) -> None:
        super().__init__()
        widths = level_widths(width)
        finer = widths[-2::-1]
        coarser = widths[:0:-1]
        self.narrow = nn.ModuleList(
            convolution(wide, narrow, size=1) for wide, narrow in zip(coarser, finer, strict=True)
        )
        self.merge = nn.ModuleList(
            convolution(2 * narrow, narrow, size=1) for narrow in finer if skip == "concat"
        )
        self.blocks = nn.ModuleList(ResidualBlock(narrow) for narrow in finer)
        self.head = nn.Conv3d(widths[0], 1, 1)
        nn.init.constant_(self.head.bias, _HEAD_BIAS)

    def forward(self, features: Tensor, skips: Sequence[Tensor], progress: Progress) -> Tensor:
        """Logits (B, 1, K, J, I) of `features` (B, 128, K/8, J/8, I/8) and finer `skips`."""
        for number, skip in enumerate(reversed(skips)):
            progress(number / len(skips), "Predicting the mask")
            features = self.narrow[number](features)
            features = functional.interpolate(features, scale_factor=2, mode="trilinear")
            if self.merge:
                features = self.merge[number](torch.cat((features, skip), dim=1))
            else:
                features = features + skip
            features = self.blocks[number](features)
        result: Tensor = self.head(features)
        return result
