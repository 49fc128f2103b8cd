"""SAM3D's decoder: from the features of all slices of a patch to classes, in 3D.

Bui et al., "SAM3D: Segment Anything Model in volumetric medical images", ISBI 2024, section 2.3.
Modules have the names of its published checkpoints, which contain no others: the image encoder
stays as SAM's authors trained it and is not included.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..common.torch_convolution import Convolution3d
from .config import BLOCKS, WIDTHS, Sam3dConfig

# The block before each head, from fine to coarse: the last one, and the two before it.
_HEADS = {"out1": "decoder2", "out2": "decoder3", "out3": "decoder4"}


def _convolved(taken: int, made: int, side: int, *after: nn.Module) -> nn.Sequential:
    """A convolution that keeps the size, and a normalisation without weights."""
    convolution = Convolution3d(taken, made, side, padding=side // 2)
    return nn.Sequential(convolution, nn.InstanceNorm3d(made), *after)


class _Block(nn.Module):
    """A residual block; the output has twice the rows and columns, and the same slices.

    Without a shortcut it is not residual.
    """

    def __init__(self, taken: int, made: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = _convolved(taken, made, 3, nn.LeakyReLU())
        self.conv2 = _convolved(made, made, 3)
        self.downsample = _convolved(taken, made, 1) if shortcut else None

    def forward(self, features: Tensor) -> Tensor:
        """(n, taken, d, h, w) -> (n, made, d, 2h, 2w)."""
        made = self.conv2(self.conv1(features))
        if self.downsample is not None:
            made = made + self.downsample(features)
        made = functional.leaky_relu(made)
        doubled: Tensor = functional.interpolate(made, scale_factor=(1, 2, 2), mode="nearest")
        return doubled


class _Head(nn.Module):
    """Logits of the classes at one size."""

    def __init__(self, taken: int, classes: int) -> None:
        super().__init__()
        self.conv_pred = _convolved(taken, taken // 2, 3, nn.LeakyReLU())
        self.segmentation_head = nn.Conv3d(taken // 2, classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(n, taken, d, h, w) -> (n, classes, d, h, w)."""
        logits: Tensor = self.segmentation_head(self.conv_pred(features))
        return logits


class Sam3dDecoder(nn.Module):
    """The trained part of SAM3D; its state dict has the published layout."""

    def __init__(self, config: Sam3dConfig) -> None:
        super().__init__()
        self.config = config
        for name, (taken, made) in zip(BLOCKS, pairwise((config.channels, *WIDTHS)), strict=True):
            self.add_module(name, _Block(taken, made, config.shortcuts))
        for name, block in _HEADS.items():
            self.add_module(name, _Head(WIDTHS[BLOCKS.index(block)], config.classes))

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, 256 per modality, d, h, w) of slices -> logits (n, classes, d, 16h, 16w).

        h * w * d must be at least 2: a single position cannot be normalised over.
        """
        return self._answers(features, 1)[0]

    def supervised(self, features: Tensor) -> list[Tensor]:
        """As `forward`, and the logits at half and at a quarter of the rows and columns."""
        return self._answers(features, len(_HEADS))

    def _answers(self, features: Tensor, heads: int) -> list[Tensor]:
        after: dict[str, Tensor] = {}
        for name in BLOCKS:
            features = self.get_submodule(name)(features)
            after[name] = features
        wanted = list(_HEADS.items())[:heads]
        return [self.get_submodule(head)(after[block]) for head, block in wanted]


def decoder_on_meta(config: Sam3dConfig) -> Sam3dDecoder:
    """A decoder on the meta device, in evaluation mode, whose weights are to be assigned."""
    with torch.device("meta"):
        decoder = Sam3dDecoder(config)
    decoder.eval()
    return decoder
