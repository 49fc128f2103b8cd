"""SAM 3's image encoder in two parts, for images of any size.

The modules are transformers'. The table of positions is tiled, as there. Global attention rotates
queries and keys by positions whose unit was fixed in training, a third of a patch with the
published network: for another size of image they keep that unit, so that neighbours stay as far
apart as the network has learnt.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# The levels of features that the decoder of masks uses; the coarsest one of the pyramid is not.
_LEVELS = 3


def vit_tokens(vision_encoder: Any, images: Tensor, blocks: int) -> list[Tensor]:
    """Images (n, 3, H, W), sides multiples of a patch, as tokens (n, rows, columns, channels)."""
    backbone = vision_encoder.backbone
    patch = backbone.config.patch_size
    grid = (images.shape[2] // patch, images.shape[3] // patch)
    tokens = backbone.layer_norm(backbone.embeddings(images).unflatten(1, grid))
    for layer in backbone.layers[:blocks]:
        tokens = _passed(layer, tokens)
    return [tokens]


def vit_levels(
    vision_encoder: Any, states: list[Tensor], first: int, recomputed: bool
) -> list[Tensor]:
    """The features (n, c, rows, columns) of three levels, the finest, of 4 H/patch rows, first."""
    (tokens,) = states
    for layer in vision_encoder.backbone.layers[first:]:
        if recomputed:
            tokens = checkpoint(_passed, layer, tokens, use_reentrant=False)
        else:
            tokens = _passed(layer, tokens)
    spatial = tokens.permute(0, 3, 1, 2)
    return [pyramid(spatial) for pyramid in vision_encoder.neck.fpn_layers[:_LEVELS]]


def _passed(layer: Any, tokens: Tensor) -> Tensor:
    """Tokens after a layer; with global attention their positions follow the size of the image."""
    if layer.window_size:
        passed: Tensor = layer(tokens)
        return passed
    attended = layer.layer_norm1(tokens)
    turns = layer.rotary_emb(attended, _positions(layer, tokens))
    attended, _ = layer.attention(attended, turns)
    tokens = tokens + attended
    update: Tensor = layer.dropout(layer.mlp(layer.layer_norm2(tokens)))
    return tokens + update


def _positions(layer: Any, tokens: Tensor) -> Tensor:
    """(rows * columns, 2): column and row of each token, in the unit of the layer's training."""
    config = layer.config
    unit = config.window_size / (config.image_size // config.patch_size)
    rows, columns = (
        torch.arange(count, device=tokens.device, dtype=torch.float32) * unit
        for count in tokens.shape[1:3]
    )
    grid = torch.meshgrid(columns, rows, indexing="xy")
    return torch.stack([axis.flatten() for axis in grid], dim=-1)
