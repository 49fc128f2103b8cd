"""The predicted memory of a step of the recipe `crossplane`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ....models.sam.network.config import BlockShape, NetworkConfig
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
    config: NetworkConfig,
    adapters: Sequence[nn.Parameter],
    sizes: Sequence[Sequence[tuple[int, int]]],
    half: bool,
) -> int:
    """The peak of a step: weights, adapters with their moments, and activations of the views.

    The output of the frozen blocks is stored in main memory, within `prefix_bytes`, as are the
    volumes; neither is counted.

    Args:
        settings: the settings.
        config: the description of the base.
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


def _encoder_weights(config: NetworkConfig) -> int:
    """The weights of an encoder, within a few thousandths: 12 d² per block, and the positions."""
    first = config.blocks[0]
    weights: int = sum(12 * block.dim**2 for block in config.blocks)
    return weights + (config.side // config.patch) ** 2 * first.dim


def _view_numbers(
    settings: CrossplaneSettings, config: NetworkConfig, size: tuple[int, int]
) -> int:
    """The numbers kept for a view, and those in use while its largest block is computed."""
    first = config.depth - settings.blocks if settings.blocks else 0
    trained = config.blocks[first:]
    blocks = [_block(block, size) for block in trained]
    working = max(maps for _, maps in blocks) * _MAPS_AT_ONCE
    if settings.recomputed:
        between = sum(_tokens(block, size) * block.dim for block in trained)
        kept = between + max(sum(block) for block in blocks)
    else:
        kept = sum(sum(block) for block in blocks)
    places = size[0] * size[1] // config.patch**2
    return kept + working + places * (_KEPT_BY_DECODER + config.channels)


def _block(block: BlockShape, size: tuple[int, int]) -> tuple[int, int]:
    """The numbers kept of a block's tokens, and those of its attention map."""
    if block.window:
        high, wide = size[0] // block.stride, size[1] // block.stride
        keys = block.window**2
        queries = -(-high // block.window) * -(-wide // block.window) * keys
    else:
        queries = keys = _tokens(block, size)
    return _KEPT_OF_TOKENS * queries * block.dim, block.heads * queries * keys


def _tokens(block: BlockShape, size: tuple[int, int]) -> int:
    return (size[0] // block.stride) * (size[1] // block.stride)
