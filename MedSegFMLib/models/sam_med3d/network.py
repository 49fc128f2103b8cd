"""The attention of SAM-Med3D's encoder without the tokens that only fill its windows.

Eight of twelve blocks attend within windows of 14³ tokens, and an image has 8³: the package fills
the window with zeros, computes all 2,744 tokens, and drops 2,232 of the results. The zeros count as
keys. Each of them has the key and the value of the layer's bias, and their scores differ by their
positions only, in a way that can be summed axis by axis; one key with the sum of their exponentials
stands for all of them. The result is the same, from less than a tenth of the products.

The package adds its positions to other axes than it names, and trained networks rely on that: for a
query at (z, y, x) and a key at (a, b, c), with queries q and tables D, H and W, they are
q(z, y, x) D(z, c) + q(z, y, a) H(y, c) + q(z, y, b) W(b, c).
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn


class PaddedAttention(nn.Module):
    """The package's attention of a window that is filled with zeros behind the tokens.

    Args:
        attention: The package's module, whose weights are used.
        window: The side length of the window in tokens.
    """

    def __init__(self, attention: Any, window: int) -> None:
        super().__init__()
        self.attention = attention
        self.window = window

    def forward(self, tokens: Tensor) -> Tensor:
        """The result for tokens (n, z, y, x, channels) of a cube smaller than the window."""
        own = self.attention
        count, *grid, channels = tokens.shape
        projected = own.qkv(tokens).reshape(count, prod(grid), 3, own.num_heads, -1)
        queries, keys, values = projected.permute(2, 0, 3, 1, 4)
        zero_query, zero_key, zero_value = own.qkv.bias.reshape(3, own.num_heads, 1, -1)
        near, rest = self._positions(queries.unflatten(2, grid), zero_query)
        scaled = queries * own.scale
        scores = scaled @ keys.transpose(-2, -1) + near
        zeros = scaled @ zero_key.transpose(-2, -1) + rest
        weights = torch.cat((scores, zeros), dim=-1).softmax(-1)
        seen = weights[..., :-1] @ values + weights[..., -1:] * zero_value
        result: Tensor = own.proj(seen.transpose(1, 2).reshape(count, *grid, channels))
        return result

    def _positions(self, queries: Tensor, zero_query: Tensor) -> tuple[Tensor, Tensor]:
        """The scores of positions.

        Args:
            queries: (n, heads, z, y, x, w), the same number along each axis.
            zero_query: (heads, 1, w), that of a zero.

        Returns:
            (n, heads, p, p) between tokens, and (n, heads, p, 1), the logarithm of the sum of the
            exponentials of those of all zeros.
        """
        own, size = self.attention, queries.shape[2]
        numbers = torch.arange(self.window, device=queries.device)
        distances = numbers[:, None] - numbers + self.window - 1
        filling = zero_query[:, None, None].expand(*queries.shape[:4], self.window - size, -1)
        line = torch.cat((queries, filling), dim=4)
        first = torch.einsum("nhzyxw,zcw->nhzyxc", queries, own.rel_pos_d[distances[:size]])
        second = torch.einsum("nhzyaw,ycw->nhzyac", line, own.rel_pos_h[distances[:size]])
        third = torch.einsum("nhzybw,bcw->nhzybc", line, own.rel_pos_w[distances])
        near = (
            first[..., None, None, :size]
            + second[..., None, :size, None, :size]
            + third[..., None, None, :size, :size]
        )
        rest = _log_of_rest(second, third, size)
        zeros = (first + rest[..., None, :]).logsumexp(-1)
        return near.flatten(5).flatten(2, 4), zeros.flatten(2)[..., None]


def skip_padding(encoder: Any) -> None:
    """Let the blocks of an encoder, whose windows are wider than its images, skip the zeros."""
    grid = encoder.img_size // encoder.patch_embed.proj.kernel_size[0]
    for block in encoder.blocks:
        if block.window_size > grid:
            block.attn = PaddedAttention(block.attn, block.window_size)
            block.window_size = 0


def _log_of_rest(second: Tensor, third: Tensor, size: int) -> Tensor:
    """The logarithm of the sum over all zeros (a, b) at each c of two terms' exponentials.

    Args:
        second: (..., a, c), of which the first `size` along each are tokens.
        third: (..., b, c), likewise.
        size: The number of tokens along an axis.

    Returns:
        (..., c).
    """
    whole = second.logsumexp(-2), third.logsumexp(-2)
    near = second[..., :size, :].logsumexp(-2)
    far = second[..., size:, :].logsumexp(-2), third[..., size:, :].logsumexp(-2)
    # Among the tokens along c: beyond them along a, else along b.
    beside = torch.logaddexp(far[0] + whole[1], near + far[1])
    return torch.cat((beside[..., :size], (whole[0] + whole[1])[..., size:]), dim=-1)
