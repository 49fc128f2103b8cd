"""One SAM that looks at slices of any plane: the siamese network of the cross-plane paper.

"The Cost of Consistency": the axial, coronal and sagittal slice through a voxel go through the same
SAM with low-rank adapters. What the three have in common with the model `sam` is all but training:
here features may come from a cache of the frozen blocks, and blocks may be computed twice instead
of being remembered.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .sam import Sam
from .sam_config import PATCH


class CrossPlane(nn.Module):
    """SAM with adapters, for one slice at a time.

    first: the blocks before it are frozen. recomputed: see `SamEncoder.features`.
    """

    def __init__(self, sam: Sam, first: int, recomputed: bool) -> None:
        super().__init__()
        self.sam = sam
        self._encoder = sam.encoder
        self._decoder = sam.decoder
        self._first = first
        self._recomputed = recomputed

    @torch.no_grad()
    def prefix(self, images: Tensor) -> Tensor:
        """What the frozen blocks make of images (1, 3, H, W): tokens (1, H/16, W/16, c)."""
        tokens: Tensor = self._encoder.tokens(images, self._first)
        return tokens

    def forward(
        self, tokens: Tensor, boxes: Tensor | None, points: Tensor, positive: Tensor
    ) -> Tensor:
        """The single mask's logits (1, H/4, W/4) after a prompt.

        tokens: as `prefix` gives them. boxes: (1, 4), or None; points: (1, p, 2); positive: (1, p);
        see `Sam.prompt_tokens`.
        """
        features = self._encoder.features(tokens, self._first, self._recomputed)
        high, wide = features.shape[2:]
        size = (high * PATCH, wide * PATCH)
        prompts = self.sam.prompt_tokens(boxes, points, positive, size)
        masks, _ = self._decoder(features, self.sam.image_positions(high, wide), prompts)
        logits: Tensor = masks[:, 0]
        return logits
