"""The predicted memory of a step of the recipe `crossplane`."""

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

# Kept for the backward pass, as a multiple of a token's channels: the values before and after the
# norms, queries, keys and values, and the four times wider hidden layer of the MLP.
_KEPT_OF_TOKENS = 13
# Attention maps in memory at the same time while a block is computed: scores, positions, softmax.
_MAPS_AT_ONCE = 3
# Numbers that the decoder keeps for each position of the features.
_KEPT_BY_DECODER = 256 * 48
# Working memory of torch and its libraries, measured on a CPU.
_WORKING_BYTES = 400_000_000
# A trained number, with its gradient and its two moments.
_BYTES_PER_TRAINED = 16


def predicted_bytes(
    settings: CrossplaneSettings,
    config: SamConfig,
    adapters: Sequence[nn.Parameter],
    sizes: Sequence[Sequence[tuple[int, int]]],
    half: bool,
) -> int:
    """The peak of a step: weights, adapters with their moments, and activations of the views.

    The output of the frozen blocks is stored in main memory, within `prefix_bytes`, as are the
    volumes; neither is counted.

    Args:
        settings: the settings.
        config: the configuration of SAM.
        adapters: the trained parameters.
        sizes: (rows, columns) of the input of each view, for each object.
        half: whether the step computes in 16 bits.
    """
    number_bytes = 2 if half else 4
    weights = _encoder_weights(config) * number_bytes
    trained: int = sum(p.numel() for p in adapters) * _BYTES_PER_TRAINED
    views = [[_view_numbers(settings, config, size) for size in views] for views in sizes]
    kept = max(max(of_object) if settings.cached else sum(of_object) for of_object in views)
    return weights + trained + kept * number_bytes + _WORKING_BYTES


def _encoder_weights(config: SamConfig) -> int:
    """The weights of an encoder, within a few thousandths: 12 d² per block, and the positions."""
    return config.depth * 12 * config.dim**2 + (IMAGE_SIDE // PATCH) ** 2 * config.dim


def _view_numbers(settings: CrossplaneSettings, config: SamConfig, size: tuple[int, int]) -> int:
    """The numbers kept for a view, and those in use while its largest block is computed."""
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
    """The numbers kept of a block's tokens, and those of its attention map."""
    if number in config.global_blocks:
        queries = keys = high * wide
    else:
        keys = WINDOW**2
        queries = -(-high // WINDOW) * -(-wide // WINDOW) * keys
    return _KEPT_OF_TOKENS * queries * config.dim, config.heads * queries * keys
