"""A SAM for slices of any plane: the siamese network of the cross-plane paper.

"The Cost of Consistency": the axial, coronal and sagittal slices through a voxel go through the
same SAM with low-rank adapters; the paper's is SAM 3. Only training differs from the model `sam`:
here features may come from a cache of the frozen blocks, and blocks may be recomputed to save
memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .image_sam import ImageSam
from .network import Sam


class CrossPlane(nn.Module):
    """SAM with adapters, for one slice at a time.

    Args:
        sam: The network with adapters: a SAM, or the image side of a SAM 2 or SAM 3.
        first: The first block with adapters; those before it are frozen.
        recomputed: See `SamEncoder.features`.
    """

    def __init__(self, sam: Sam | ImageSam, first: int, recomputed: bool) -> None:
        super().__init__()
        self.sam = sam
        self._encoder = sam.encoder
        self._decoder = sam.decoder
        self._first = first
        self._recomputed = recomputed

    @torch.no_grad()
    def prefix(self, images: Tensor) -> list[Tensor]:
        """The tokens of images (1, 3, H, W) after the frozen blocks; see `SamEncoder.tokens`."""
        return self._encoder.tokens(images, self._first)

    def features(self, states: list[Tensor]) -> Tensor:
        """The features (1, channels, H/patch, W/patch) of the tokens from `prefix`."""
        return self._encoder.features(states, self._first, self._recomputed)

    def decode(
        self, features: Tensor, boxes: Tensor | None, points: Tensor, positive: Tensor
    ) -> Tensor:
        """The logits (1, 4 H/patch, 4 W/patch) for a prompt, as from `SamRuntime.decode`.

        After a single point without a box it is the mask with the highest predicted quality of the
        three.

        Args:
            features: From `features`.
            boxes: (1, 4), or None.
            points: (1, p, 2).
            positive: (1, p); see `Sam.prompt_tokens`.
        """
        high, wide = features.shape[2:]
        patch = self.sam.config.patch
        size = (high * patch, wide * patch)
        prompts = self.sam.prompt_tokens(boxes, points, positive, size)
        masks, qualities = self._decoder(features, self.sam.image_positions(high, wide), prompts)
        chosen = 0
        if boxes is None and points.shape[1] == 1:
            chosen = 1 + int(qualities[0, 1:].argmax())
        logits: Tensor = masks[:, chosen]
        return logits
