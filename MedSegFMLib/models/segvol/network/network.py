"""SegVol's network with the published names of its tensors.

Du et al., "SegVol: universal and interactive volumetric medical image segmentation", NeurIPS 2024
(arXiv 2311.13385). The image's encoder is MONAI's ViT, prompts and masks are those of
segment_anything in three dimensions, words are encoded by transformers' CLIP.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from monai.networks.nets import ViT
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

from ...sam.network.two_way_transformer import two_way
from .config import SegVolConfig

_AXES = 3
# Of the vision transformer, as a multiple of its width.
_MLP = 4
# The kinds of a prompt's token; the first two are labels of clicks.
_CORNERS = (2, 3)


class TextEncoder(nn.Module):
    """CLIP's text encoder, and the projection of its result to a prompt."""

    def __init__(self, config: SegVolConfig) -> None:
        super().__init__()
        settings = CLIPTextConfig(
            hidden_size=config.text_dim,
            intermediate_size=_MLP * config.text_dim,
            num_hidden_layers=config.text_depth,
            num_attention_heads=config.text_heads,
        )
        settings._attn_implementation = "sdpa"
        self.clip_text_model: Any = CLIPTextModel(settings)
        self.dim_align = nn.Linear(config.text_dim, config.dim)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Prompts (n, dim) of texts as token numbers and an attention mask, both (n, t)."""
        pooled = self.clip_text_model(input_ids=tokens, attention_mask=mask).pooler_output
        aligned: Tensor = self.dim_align(pooled)
        return aligned


class SegVol(nn.Module):
    """The whole network; its state dict has the published layout."""

    def __init__(self, config: SegVolConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ViT(
            in_channels=1,
            img_size=config.window,
            patch_size=config.patch,
            hidden_size=config.dim,
            mlp_dim=_MLP * config.dim,
            num_layers=config.depth,
            num_heads=config.heads,
            proj_type="perceptron",
        )
        for block in self.image_encoder.blocks:
            # Some versions of MONAI make layers here that are never run.
            for name in ("cross_attn", "norm_cross_attn"):
                if hasattr(block, name):
                    delattr(block, name)
        # The sizes count only in the forward pass, which is not used. Of its layers for masks,
        # which SegVol never runs and publishes in two dimensions, the weights are kept.
        self.prompt_encoder = PromptEncoder(config.dim, (1, 1), (1, 1), mask_in_chans=16)
        frequencies = torch.randn(_AXES, config.dim // 2)
        self.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix = frequencies
        self.mask_decoder = MaskDecoder(
            transformer_dim=config.dim,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=config.dim, num_heads=8, mlp_dim=2048
            ),
        )
        middle, last = config.dim // 4, config.dim // 8
        self.mask_decoder.output_upscaling = nn.Sequential(
            nn.ConvTranspose3d(config.dim, middle, kernel_size=2, stride=2),
            nn.LayerNorm((middle, *(2 * n for n in config.grid))),
            nn.GELU(),
            nn.ConvTranspose3d(middle, last, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.mask_decoder.txt_align_upscaled_embedding = nn.Linear(config.dim, last)
        self.text_encoder = TextEncoder(config)
        self.eval()

    def encode(self, image: Tensor) -> Tensor:
        """Features (1, p, dim) of an image (1, 1, k, j, i), 0 to 1, of the window's size."""
        tokens, _ = self.image_encoder(image)
        features: Tensor = tokens
        return features

    def decode(
        self,
        features: Tensor,
        clicks: tuple[Tensor, Tensor] | None,
        box: Tensor | None,
        text: Tensor | None,
    ) -> Tensor:
        """Logits (k, j, i) of the window.

        Args:
            features: Those of `encode`.
            clicks: Positions (n, 3) in voxels of the window, (k, j, i), and labels (n,), 1 on the
                object and 0 beside it.
            box: (2, 3), its first and last voxel.
            text: (1, dim), as `TextEncoder` returns it.
        """
        decoder = self.mask_decoder
        own = torch.cat((decoder.iou_token.weight, decoder.mask_tokens.weight))
        prompts = torch.cat((own, *self._prompts(clicks, box, text)))[None]
        image = features + self.prompt_encoder.no_mask_embed.weight
        tokens, image = two_way(decoder.transformer, image, self._positions(features), prompts)
        places = image.transpose(1, 2).unflatten(2, self.config.grid)
        fine = decoder.output_upscaling(places)
        # Of the four masks, the first is the one without ambiguity.
        weights = decoder.output_hypernetworks_mlps[0](tokens[:, 1])
        if text is not None:
            weights = weights + decoder.txt_align_upscaled_embedding(text)
        coarse = torch.einsum("nc,nckji->nkji", weights, fine)[None]
        window = functional.interpolate(
            coarse, size=self.config.window, mode="trilinear", align_corners=False
        )
        return window[0, 0]

    def _prompts(
        self, clicks: tuple[Tensor, Tensor] | None, box: Tensor | None, text: Tensor | None
    ) -> list[Tensor]:
        """The tokens (n, dim) of prompts of each kind, in the order of training."""
        encoder = self.prompt_encoder
        kinds = [embedding.weight for embedding in encoder.point_embeddings]
        found = []
        if clicks is not None:
            positions, labels = clicks
            found.append(self._placed(positions) + torch.cat(kinds[:2])[labels])
            if box is None:
                found.append(encoder.not_a_point_embed.weight)
        if box is not None:
            found.append(self._placed(box) + torch.cat([kinds[n] for n in _CORNERS]))
        if text is not None:
            found.append(text)
        return found

    def _placed(self, positions: Tensor) -> Tensor:
        """The encoding (n, dim) of positions (n, 3) in voxels, whose centres are whole numbers.

        As in training, positions along the first axis are divided by the size of the second, and
        the other way round.
        """
        high, wide, deep = self.config.window
        sizes = positions.new_tensor((wide, high, deep))
        return self._waves((positions + 0.5) / sizes)

    def _positions(self, features: Tensor) -> Tensor:
        """The encoding (1, p, dim) of the middle of each token, its first two axes exchanged."""
        axes = [(torch.arange(n, device=features.device) + 0.5) / n for n in self.config.grid]
        first, second, third = torch.meshgrid(*axes, indexing="ij")
        return self._waves(torch.stack((second, first, third), dim=-1)).flatten(0, 2)[None]

    def _waves(self, fractions: Tensor) -> Tensor:
        """Random waves (…, dim) at fractions (…, 3) of the image."""
        matrix = self.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
        angles = 2 * math.pi * ((2 * fractions - 1) @ matrix)
        return torch.cat((angles.sin(), angles.cos()), dim=-1)
