"""SAM 2's image encoder in two parts, for images of any size.

Ryali et al., "Hiera: A hierarchical vision transformer without the bells-and-whistles", 2023. The
modules are transformers'; their position table is interpolated for the size of the image.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.utils.checkpoint import checkpoint

# The levels of features that the decoder of masks uses.
_LEVELS = 3


def hiera_tokens(vision_encoder: Any, images: Tensor, blocks: int) -> list[Tensor]:
    """Images (n, 3, H, W), sides multiples of 32, as tokens after the first `blocks` blocks.

    Returns:
        (n, rows, columns, channels): those of every stage that has ended, then the current ones.
    """
    backbone = vision_encoder.backbone
    tokens = backbone.patch_embed(images)
    tokens = tokens + backbone._get_pos_embed(tokens.shape[1:3])
    return _through(backbone, [tokens], range(blocks), recomputed=False)


def hiera_levels(
    vision_encoder: Any, states: list[Tensor], first: int, recomputed: bool
) -> list[Tensor]:
    """The features (n, c, rows, columns) of three levels, the finest, of H/4 rows, first."""
    backbone = vision_encoder.backbone
    ended = _through(backbone, states, range(first, len(backbone.blocks)), recomputed)
    maps, _ = vision_encoder.neck(ended)
    return list(maps[-_LEVELS:][::-1])


def _through(
    backbone: Any, states: list[Tensor], numbers: Iterable[int], recomputed: bool
) -> list[Tensor]:
    *ended, tokens = states
    for number in numbers:
        block = backbone.blocks[number]
        # A stage has ended before the block that follows its last one.
        if number - 1 in backbone.stage_ends:
            ended.append(tokens)
        tokens = checkpoint(block, tokens, use_reentrant=False) if recomputed else block(tokens)
    return [*ended, tokens]
