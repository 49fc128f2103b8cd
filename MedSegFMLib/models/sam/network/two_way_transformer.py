"""SAM's two-way transformer with a faster order of products in its cross-attention.

An image has thousands of positions, a prompt a handful of tokens. segment_anything's Attention
projects every position to the queries, keys and values of each head. Those projections are linear,
so the few tokens can be projected through them instead, with the same result from less than half of
the multiplications. The modules, with their weights, are segment_anything's.
"""

from __future__ import annotations

import math

import torch
from segment_anything.modeling.transformer import Attention, TwoWayTransformer
from torch import Tensor


def two_way(
    transformer: TwoWayTransformer, image: Tensor, positions: Tensor, prompts: Tensor
) -> tuple[Tensor, Tensor]:
    """Attention between prompt tokens and image, both ways.

    After TwoWayTransformer.forward of segment_anything.

    Args:
        transformer: The modules.
        image: (n, p, c).
        positions: (1, p, c), the image's positional encoding.
        prompts: (n, t, c).

    Returns:
        The tokens (n, t, c) and the image (n, p, c).
    """
    tokens = prompts
    for block in transformer.layers:
        if block.skip_first_layer_pe:
            tokens = block.self_attn(q=tokens, k=tokens, v=tokens)
        else:
            queries = tokens + prompts
            tokens = tokens + block.self_attn(q=queries, k=queries, v=tokens)
        tokens = block.norm1(tokens)
        attended = _tokens_see_image(
            block.cross_attn_token_to_image, tokens + prompts, image + positions, image
        )
        tokens = block.norm2(tokens + attended)
        tokens = block.norm3(tokens + block.mlp(tokens))
        update = _image_sees_tokens(
            block.cross_attn_image_to_token, image + positions, tokens + prompts, tokens
        )
        image = block.norm4(image + update)
    attended = _tokens_see_image(
        transformer.final_attn_token_to_image, tokens + prompts, image + positions, image
    )
    return transformer.norm_final_attn(tokens + attended), image


def _tokens_see_image(attention: Attention, tokens: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Few queries (n, t, c), many keys and values (n, p, c) -> (n, t, c).

    The bias of the keys adds the same to all scores of a query, which softmax ignores; the bias of
    the values passes through, as the weights of a query sum to 1.
    """
    heads, count, few = attention.num_heads, tokens.shape[0], tokens.shape[1]
    queries = _by_head(attention.q_proj(tokens), heads)
    width = queries.shape[-1]
    through_keys = queries @ _rows_by_head(attention.k_proj.weight, heads)
    scores = through_keys.flatten(1, 2) @ keys.transpose(1, 2) / math.sqrt(width)
    mixed = (scores.softmax(-1) @ values).unflatten(1, (heads, few))
    projected = mixed @ _rows_by_head(attention.v_proj.weight, heads).transpose(1, 2)
    projected = projected.transpose(1, 2).reshape(count, few, heads * width) + attention.v_proj.bias
    result: Tensor = attention.out_proj(projected)
    return result


def _image_sees_tokens(attention: Attention, image: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Many queries (n, p, c), few keys and values (n, t, c) -> (n, p, c)."""
    heads, few = attention.num_heads, keys.shape[1]
    head_keys = _by_head(attention.k_proj(keys), heads)
    width = head_keys.shape[-1]
    through_queries = head_keys @ _rows_by_head(attention.q_proj.weight, heads)
    constant = head_keys @ attention.q_proj.bias.reshape(heads, width, 1)
    scores = image @ through_queries.flatten(1, 2).transpose(1, 2)
    scores = (scores + constant.flatten(1)[:, None]) / math.sqrt(width)
    weights = scores.unflatten(2, (heads, few)).softmax(-1).flatten(2)
    head_values = _by_head(attention.v_proj(values), heads)
    outward = attention.out_proj.weight.T.reshape(heads, width, -1)
    return torch.baddbmm(attention.out_proj.bias, weights, (head_values @ outward).flatten(1, 2))


def _by_head(projected: Tensor, heads: int) -> Tensor:
    """(n, t, heads * w) -> (n, heads, t, w)."""
    return projected.unflatten(2, (heads, -1)).transpose(1, 2)


def _rows_by_head(weight: Tensor, heads: int) -> Tensor:
    """The weight of a projection (heads * w, c) -> (heads, w, c)."""
    return weight.unflatten(0, (heads, -1))
