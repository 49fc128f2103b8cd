"""The image side of SAM 2 and SAM 3, built from transformers' modules.

Ravi et al., "SAM 2: Segment anything in images and videos", 2024; Carion et al., "SAM 3: Segment
anything with concepts", 2025. They are assembled as `network.Sam` is, for image sizes other than
that of the training and for many images with one prompt each in one pass of the decoder. At that
size the results are those of transformers' Sam2Model and Sam3TrackerModel.

The features of an image are one tensor (n, 4 c, h, w): those of two finer levels, with c / 8 and
c / 4 channels and 4 and 2 times as many rows and columns, with each block of positions as channels,
and the c channels that the decoder's transformer sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from .config import ImageConfig
from .hiera import hiera_levels, hiera_tokens
from .rope_vit import vit_levels, vit_tokens

# How much finer the two finer levels are than the features.
_FINE, _MIDDLE = 4, 2
# Of an encoder: tokens of images after some blocks, and the three levels of features of tokens.
_PARTS: dict[str, tuple[Callable[..., list[Tensor]], Callable[..., list[Tensor]]]] = {
    "sam2": (hiera_tokens, hiera_levels),
    "sam3": (vit_tokens, vit_levels),
}


class ImageEncoder(nn.Module):
    """The image encoder, for images of any size, which can be run in two parts."""

    def __init__(self, network: ImageSam) -> None:
        super().__init__()
        self.vision_encoder: Any = network.vision_encoder
        self.mask_decoder: Any = network.mask_decoder
        self.no_memory: nn.Parameter = network.no_memory_embedding
        self._tokens, self._levels = _PARTS[network.config.family]

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W), sides multiples of `multiple` -> features (n, 4 c, H/patch, W/patch)."""
        return self.features(self.tokens(images, 0), 0)

    def tokens(self, images: Tensor, blocks: int) -> list[Tensor]:
        """The tokens after the first `blocks` blocks, those that later levels need first."""
        return self._tokens(self.vision_encoder, images, blocks)

    def features(self, states: list[Tensor], first: int, recomputed: bool = False) -> Tensor:
        """Features of tokens that have passed through the first `first` blocks.

        Args:
            states: See `tokens`.
            first: The number of blocks already applied.
            recomputed: Whether to use gradient checkpointing: activations are recomputed in the
                backward pass instead of being stored.
        """
        fine, middle, coarse = self._levels(self.vision_encoder, states, first, recomputed)
        fine, middle = self.mask_decoder.conv_s0(fine), self.mask_decoder.conv_s1(middle)
        coarse = coarse + self.no_memory.reshape(1, -1, 1, 1)
        return torch.cat(
            [pixel_unshuffle(fine, _FINE), pixel_unshuffle(middle, _MIDDLE), coarse], dim=1
        )


class ImageDecoder(nn.Module):
    """The mask decoder for many images, each with its own prompt.

    After Sam2MaskDecoder.forward of transformers, which returns some of the masks only. If the
    single mask is not stable, the best of the others takes its place, as there.
    """

    def __init__(self, network: ImageSam) -> None:
        super().__init__()
        self.mask_decoder: Any = network.mask_decoder
        self.prompt_encoder: Any = network.prompt_encoder

    def forward(self, features: Tensor, image_positions: Tensor, prompts: Tensor) -> list[Tensor]:
        """Masks and their predicted quality.

        Args:
            features: (n, 4 c, h, w).
            image_positions: (1, c, h, w); see `ImageSam.image_positions`.
            prompts: (n, t, c); see `ImageSam.prompt_tokens`.

        Returns:
            Logits (n, 4, 4h, 4w), the single mask first, and qualities (n, 4).
        """
        decoder = self.mask_decoder
        count, packed, high, wide = features.shape
        channels = packed // 4
        fine, middle, coarse = features.split([2 * channels, channels, channels], dim=1)
        output_tokens = torch.cat(
            [decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight]
        )
        tokens = torch.cat([output_tokens[None].expand(count, -1, -1), prompts], dim=1)
        attended, places = decoder.transformer(
            point_embeddings=tokens[:, None],
            image_embeddings=coarse + self.prompt_encoder.no_mask_embed.weight[..., None, None],
            image_positional_embeddings=image_positions.expand(count, -1, -1, -1),
            attention_similarity=None,
        )
        attended = attended[:, 0]
        image = places[:, 0].transpose(1, 2).reshape(count, channels, high, wide)
        image = decoder.upscale_conv1(image) + pixel_shuffle(middle, _MIDDLE)
        image = decoder.activation(decoder.upscale_layer_norm(image))
        image = decoder.activation(decoder.upscale_conv2(image) + pixel_shuffle(fine, _FINE))
        perceptrons = decoder.output_hypernetworks_mlps
        mixes = torch.stack([mlp(attended[:, 2 + n]) for n, mlp in enumerate(perceptrons)], dim=1)
        masks = (mixes @ image.flatten(2)).unflatten(2, image.shape[2:])
        qualities = decoder.iou_prediction_head(attended[:, 1])
        if decoder.dynamic_multimask_via_stability:
            delta, least = (
                decoder.dynamic_multimask_stability_delta,
                decoder.dynamic_multimask_stability_thresh,
            )
            masks = with_stable_mask(masks, qualities, delta, least)
        return [masks, qualities]


class ImageSam(nn.Module):
    """The image side of a SAM 2 or SAM 3; its state dict is that of transformers' model.

    Args:
        model: transformers' Sam2Model or Sam3TrackerModel.
        config: Its description.

    Attributes:
        plain_decoder: Whether the decoder calls each of its modules, as LoRA needs; it always does.
    """

    def __init__(self, model: Any, config: ImageConfig) -> None:
        super().__init__()
        self.config = config
        self.plain_decoder = True
        self.shared_image_embedding: Any = model.shared_image_embedding
        self.vision_encoder: Any = model.vision_encoder
        self.prompt_encoder: Any = model.prompt_encoder
        self.mask_decoder: Any = model.mask_decoder
        self.no_memory_embedding: nn.Parameter = model.no_memory_embedding
        self.eval()

    @property
    def trunk(self) -> nn.Module:
        """The image encoder as a module, which may be in 16 bits."""
        trunk: nn.Module = self.vision_encoder
        return trunk

    @property
    def encoder(self) -> ImageEncoder:
        """The encoder alone, with this network's weights."""
        encoder = ImageEncoder(self)
        encoder.eval()
        return encoder

    @property
    def decoder(self) -> ImageDecoder:
        """The decoder alone, with this network's weights."""
        decoder = ImageDecoder(self)
        decoder.eval()
        return decoder

    def image_positions(self, high: int, wide: int) -> Tensor:
        """The positional encoding of features for the decoder: (1, c, h, w)."""
        embedding = self.shared_image_embedding
        like = embedding.positional_embedding
        rows, columns = (
            (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count
            for count in (high, wide)
        )
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        positions: Tensor = embedding(grid[None])
        return positions.permute(0, 3, 1, 2)

    def prompt_tokens(
        self, boxes: Tensor | None, points: Tensor, positive: Tensor, size_hw: tuple[int, int]
    ) -> Tensor:
        """Tokens (n, t, c) of prompts of one kind: boxes in all or none, equally many points.

        After Sam2PromptEncoder.forward of transformers, whose image size is fixed. Unlike SAM's,
        the tokens of a box too are followed by that of no further point.

        Args:
            boxes: (n, 4), x0 y0 x1 y1, or None.
            points: (n, p, 2), x y.
            positive: (n, p).
            size_hw: The size of the input image in whose pixels boxes and points are given.
        """
        encoder = self.prompt_encoder
        kinds = encoder.point_embed.weight
        tokens = []

        def places(pixels: Tensor) -> Tensor:
            # Pixel centres are whole numbers; the image begins half a pixel before the first.
            embedded: Tensor = encoder.shared_embedding((pixels + 0.5)[:, None], size_hw)
            return embedded[:, 0]

        if points.shape[1]:
            tokens.append(places(points) + torch.where(positive[..., None], kinds[1], kinds[0]))
        if boxes is not None:
            tokens.append(places(boxes.reshape(-1, 2, 2)) + kinds[2:4])
        tokens.append(encoder.not_a_point_embed.weight[None].expand(len(points), -1, -1))
        return torch.cat(tokens, dim=1)


def with_stable_mask(masks: Tensor, qualities: Tensor, delta: float, least: float) -> Tensor:
    """Masks (n, m, h, w) whose first is replaced by the best other one if it is not stable.

    A mask is stable if the part above `delta` is at least `least` of the part above -`delta`, in
    pixels. After Sam2MaskDecoder._dynamic_multimask_via_stability of transformers.

    Args:
        masks: Logits.
        qualities: (n, m).
        delta: A logit.
        least: A fraction.
    """
    single = masks[:, 0]
    inner, outer = ((single > bound).sum(dim=(1, 2)) for bound in (delta, -delta))
    stable = (outer == 0) | (inner >= least * outer)
    best = masks[torch.arange(len(masks), device=masks.device), 1 + qualities[:, 1:].argmax(dim=1)]
    first = torch.where(stable[:, None, None], single, best)
    return torch.cat([first[:, None], masks[:, 1:]], dim=1)
