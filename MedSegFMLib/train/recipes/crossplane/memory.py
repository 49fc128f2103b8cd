"""How much memory a step of the recipe `crossplane` takes, counted before it is taken."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ....models.sam.network.config import (
    CHANNELS,
    IMAGE_SIDE,
    PATCH,
    WINDOW,
    SamConfig,
)
from .settings import CrossplaneSettings

# Of a block's tokens, so many times their channels are kept for the way back: before and after the
# norms, queries, keys and values, and the four times wider middle of the MLP.
_KEPT_OF_TOKENS = 13
# Maps of attention in memory at a time while a block is computed: scores, positions, softmax.
_MAPS_AT_ONCE = 3
# What the decoder keeps of a place of the features, in numbers.
_KEPT_BY_DECODER = 256 * 48
# What torch and its libraries take for themselves while they compute, as measured on a CPU.
_WORKING_BYTES = 400_000_000
# A number that is learnt, with its gradient and its two moments.
_BYTES_PER_LEARNT = 16


def predicted_bytes(
    settings: CrossplaneSettings,
    config: SamConfig,
    adapters: Sequence[nn.Parameter],
    sizes: Sequence[Sequence[tuple[int, int]]],
    half: bool,
) -> int:
    """The peak of a step: weights, adapters with their moments, and what is kept of the views.

    sizes: (rows, columns) of the input of each view, for each object. half: whether in 16 bits.
    What the frozen blocks make is kept in the computer's memory, within `prefix_bytes`, and the
    volumes are there as well; neither is counted.
    """
    number_bytes = 2 if half else 4
    weights = _encoder_weights(config) * number_bytes
    learnt: int = sum(p.numel() for p in adapters) * _BYTES_PER_LEARNT
    views = [[_view_numbers(settings, config, size) for size in views] for views in sizes]
    kept = max(max(of_object) if settings.cached else sum(of_object) for of_object in views)
    return weights + learnt + kept * number_bytes + _WORKING_BYTES


def _encoder_weights(config: SamConfig) -> int:
    """The numbers of an encoder, within a few thousandths: 12 d² a block, and the positions."""
    return config.depth * 12 * config.dim**2 + (IMAGE_SIDE // PATCH) ** 2 * config.dim


def _view_numbers(settings: CrossplaneSettings, config: SamConfig, size: tuple[int, int]) -> int:
    """The numbers kept of a view, and those in use while its largest block is computed."""
    high, wide = size[0] // PATCH, size[1] // PATCH
    tokens = high * wide
    first = config.depth - settings.blocks if settings.blocks else 0
    blocks = [_block(config, number, high, wide) for number in range(first, config.depth)]
    working = max(maps for _, maps in blocks) * _MAPS_AT_ONCE
    if settings.recomputed:
        kept = len(blocks) * tokens * config.dim + max(sum(block) for block in blocks)
    else:
        kept = sum(sum(block) for block in blocks)
    return kept + working + tokens * (_KEPT_BY_DECODER + CHANNELS)


def _block(config: SamConfig, number: int, high: int, wide: int) -> tuple[int, int]:
    """The numbers of a block's tokens, and of its map of attention."""
    if number in config.global_blocks:
        seen = keys = high * wide
    else:
        keys = WINDOW**2
        seen = -(-high // WINDOW) * -(-wide // WINDOW) * keys
    return _KEPT_OF_TOKENS * seen * config.dim, config.heads * seen * keys
