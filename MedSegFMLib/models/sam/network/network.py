"""SAM's network (Kirillov et al., "Segment Anything", 2023), built from segment_anything's modules.

They are assembled differently for two things that the package does not support: image sizes other
than 1024 by 1024, and many images with one prompt each in one pass of the decoder. At 1024 by 1024,
one image at a time, the results are the package's.
"""

from __future__ import annotations

from functools import partial

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    TwoWayTransformer,
)
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .config import CHANNELS, IMAGE_SIDE, PATCH, WINDOW, SamConfig
from .two_way_transformer import two_way

_SIDE_IN_PATCHES = IMAGE_SIDE // PATCH

# The masks of `SamDecoder`: the single mask, then the three of an ambiguous prompt.
MASKS = 4


class SamEncoder(nn.Module):
    """The image encoder, for images of any size, which can be run in two parts."""

    def __init__(self, vit: ImageEncoderViT) -> None:
        super().__init__()
        self.vit = vit

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W), sides multiples of 16 -> features (n, 256, H/16, W/16)."""
        return self.features(self.tokens(images, 0), 0)

    def tokens(self, images: Tensor, blocks: int) -> list[Tensor]:
        """Images as one tensor of tokens (n, H/16, W/16, c) after the first `blocks` blocks.

        The position table is interpolated for other image sizes than that of the training;
        segment_anything's get_rel_pos does so for the relative positions.
        """
        tokens = self.vit.patch_embed(images)
        tokens = tokens + _resized(self.vit.pos_embed, tokens.shape[1], tokens.shape[2])
        for block in self.vit.blocks[:blocks]:
            tokens = block(tokens)
        return [tokens]

    def features(self, states: list[Tensor], first: int, recomputed: bool = False) -> Tensor:
        """Features of tokens that have passed through the first `first` blocks.

        Args:
            states: See `tokens`.
            first: The number of blocks already applied.
            recomputed: Whether to use gradient checkpointing: activations are recomputed in the
                backward pass instead of being stored.
        """
        (tokens,) = states
        for block in self.vit.blocks[first:]:
            tokens = checkpoint(block, tokens, use_reentrant=False) if recomputed else block(tokens)
        features: Tensor = self.vit.neck(tokens.permute(0, 3, 1, 2))
        return features


class SamDecoder(nn.Module):
    """The mask decoder for many images, each with its own prompt.

    After MaskDecoder.predict_masks of segment_anything, which repeats one image for its prompts.

    Args:
        prompt_encoder: SAM's prompt encoder.
        mask_decoder: SAM's mask decoder.
        plain: Whether to use segment_anything's own, slower transformer, which calls each of its
            modules: they may have been replaced, as by LoRA.
    """

    def __init__(
        self, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder, plain: bool = False
    ) -> None:
        super().__init__()
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self._plain = plain

    def forward(self, features: Tensor, image_positions: Tensor, prompts: Tensor) -> list[Tensor]:
        """Masks and their predicted quality.

        Args:
            features: (n, 256, h, w).
            image_positions: (1, 256, h, w); see `Sam.image_positions`.
            prompts: (n, t, 256); see `Sam.prompt_tokens`.

        Returns:
            Logits (n, 4, 4h, 4w), the single mask first, and qualities (n, 4).
        """
        decoder = self.mask_decoder
        count, _, high, wide = features.shape
        output_tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        tokens = torch.cat([output_tokens[None].expand(count, -1, -1), prompts], dim=1)
        without_mask = self.prompt_encoder.no_mask_embed.weight.reshape(1, CHANNELS, 1, 1)
        if self._plain:
            positions = image_positions.expand(count, -1, -1, -1)
            attended, places = decoder.transformer(features + without_mask, positions, tokens)
        else:
            attended, places = two_way(
                decoder.transformer,
                (features + without_mask).flatten(2).transpose(1, 2),
                image_positions.flatten(2).transpose(1, 2),
                tokens,
            )
        mixes = [mlp(attended[:, 1 + n]) for n, mlp in enumerate(decoder.output_hypernetworks_mlps)]
        masks = self._fine(places) @ torch.stack(mixes, dim=2)
        # Each position became 2 by 2, and each of those 2 by 2.
        masks = masks.reshape(count, high, wide, 2, 2, 2, 2, MASKS).permute(0, 7, 1, 3, 5, 2, 4, 6)
        return [
            masks.reshape(count, MASKS, 4 * high, 4 * wide),
            decoder.iou_prediction_head(attended[:, 0]),
        ]

    def _fine(self, places: Tensor) -> Tensor:
        """The output_upscaling of segment_anything per position: (n, p, 256) -> (n, 16 p, 32).

        Its transposed convolutions do not overlap: each is a matrix product, and channels can stay
        last, which avoids reordering large arrays.
        """
        first, norm, gelu, second, last = self.mask_decoder.output_upscaling
        middle = _doubled(places, first)
        middle = functional.layer_norm(
            middle, (middle.shape[-1],), norm.weight, norm.bias, norm.eps
        )
        fine: Tensor = last(_doubled(gelu(middle), second))
        return fine


def _doubled(places: Tensor, convolution: nn.ConvTranspose2d) -> Tensor:
    """A transposed convolution of 2 by 2 with stride 2: (n, p, c) -> (n, 4 p, d)."""
    channels = convolution.out_channels
    weight = convolution.weight.permute(0, 2, 3, 1).reshape(convolution.in_channels, 4 * channels)
    doubled: Tensor = places @ weight + convolution.bias.repeat(4)
    return doubled.reshape(places.shape[0], -1, channels)


class Sam(nn.Module):
    """The whole network; its state dict has the published layout.

    Attributes:
        plain_decoder: See `SamDecoder`.
    """

    def __init__(self, config: SamConfig) -> None:
        super().__init__()
        self.config = config
        self.plain_decoder = False
        self.image_encoder = ImageEncoderViT(
            img_size=IMAGE_SIDE,
            patch_size=PATCH,
            embed_dim=config.dim,
            depth=config.depth,
            num_heads=config.heads,
            out_chans=CHANNELS,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=WINDOW,
            global_attn_indexes=config.global_blocks,
        )
        self.prompt_encoder = PromptEncoder(
            embed_dim=CHANNELS,
            image_embedding_size=(_SIDE_IN_PATCHES, _SIDE_IN_PATCHES),
            input_image_size=(IMAGE_SIDE, IMAGE_SIDE),
            mask_in_chans=16,
        )
        self.mask_decoder = MaskDecoder(
            transformer_dim=CHANNELS,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=CHANNELS, num_heads=8, mlp_dim=2048
            ),
        )
        self.eval()

    @property
    def trunk(self) -> nn.Module:
        """The image encoder as a module, which may be in 16 bits."""
        trunk: nn.Module = self.image_encoder
        return trunk

    @property
    def encoder(self) -> SamEncoder:
        """The encoder alone, with this network's weights."""
        encoder = SamEncoder(self.image_encoder)
        encoder.eval()
        return encoder

    @property
    def decoder(self) -> SamDecoder:
        """The decoder alone, with this network's weights."""
        decoder = SamDecoder(self.prompt_encoder, self.mask_decoder, self.plain_decoder)
        decoder.eval()
        return decoder

    def image_positions(self, high: int, wide: int) -> Tensor:
        """The positional encoding of features for the decoder: (1, 256, h, w)."""
        positions: Tensor = self.prompt_encoder.pe_layer((high, wide))[None]
        return positions

    def prompt_tokens(
        self, boxes: Tensor | None, points: Tensor, positive: Tensor, size_hw: tuple[int, int]
    ) -> Tensor:
        """Tokens (n, t, 256) of prompts of one kind: boxes in all or none, equally many points.

        After PromptEncoder.forward of segment_anything, whose image size is fixed.

        Args:
            boxes: (n, 4), x0 y0 x1 y1, or None.
            points: (n, p, 2), x y.
            positive: (n, p).
            size_hw: The size of the input image in whose pixels boxes and points are given.
        """
        encoder = self.prompt_encoder
        kinds = [embedding.weight for embedding in encoder.point_embeddings]
        tokens = []
        if points.shape[1]:
            # Pixel centres are whole numbers; the image begins half a pixel before the first.
            places = encoder.pe_layer.forward_with_coords(points + 0.5, size_hw)
            tokens.append(places + torch.where(positive[..., None], kinds[1], kinds[0]))
            if boxes is None:
                none = encoder.not_a_point_embed.weight[None]
                tokens.append(none.expand(len(points), -1, -1))
        if boxes is not None:
            corners = encoder.pe_layer.forward_with_coords(boxes.reshape(-1, 2, 2) + 0.5, size_hw)
            tokens.append(corners + torch.cat(kinds[2:]))
        if not tokens:
            return points.new_zeros(len(points), 0, CHANNELS)
        return torch.cat(tokens, dim=1)


def _resized(positions: Tensor, high: int, wide: int) -> Tensor:
    """The position table (1, h, w, c) on another grid, bilinear between cell centres."""
    if positions.shape[1:3] == (high, wide):
        return positions
    channels_first = positions.permute(0, 3, 1, 2)
    resized = functional.interpolate(
        channels_first, (high, wide), mode="bilinear", align_corners=False
    )
    return resized.permute(0, 2, 3, 1)
