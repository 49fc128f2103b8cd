"""The outputs of SAM3's detector at each layer of its decoder, which training needs.

transformers' own forward pass returns only the last layer. As SAM3's authors do, and other than
transformers, the prompt of text alone contains the geometry encoder's class token. The one-to-many
queries are those of DAC-DETR (Hu et al., "DAC-DETR: divide the attention layers and conquer",
NeurIPS 2023), as SAM3 was trained. They are a second pass of the same queries and weights without
self-attention, which keeps all but one query from each object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

# Keeps the logit of a box at the border of the slice finite, as in SAM3.
_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Answers:
    """The outputs of a pass, for n slices, q queries and l layers of the decoder.

    Predictions are those of the last layer.

    Attributes:
        logits: (l, n, q), how well a query matches the text.
        boxes: (l, n, q, 4), centre and widths as fractions of the slice.
        presence: (l, n) logits, whether the object is on the slice.
        masks: (n, q, h, w) logits of the last layer; None for the one-to-many pass.
    """

    logits: Tensor
    boxes: Tensor
    presence: Tensor
    masks: Tensor | None


def answers(
    network: Any, images: Tensor, tokens: Tensor, counts: Tensor, many: bool
) -> tuple[Answers, Answers | None]:
    """The outputs of a Sam3Model for text, and those of its one-to-many queries if `many`.

    Args:
        network: a Sam3Model.
        images: (n, 3, side, side).
        tokens: (n, t) int64, the text.
        counts: (n, t) int64, 1 for the tokens that count.
        many: whether to run the one-to-many pass.
    """
    levels = network.vision_encoder(images)
    features, positions = levels.fpn_hidden_states[:-1], levels.fpn_position_encoding[:-1]
    text_features = network.get_text_features(
        input_ids=tokens, attention_mask=counts, return_dict=True
    ).pooler_output
    prompt, mask = _with_empty_geometry(network, text_features, counts.bool(), features, positions)
    encoded = network.detr_encoder(
        vision_features=[features[-1]],
        text_features=prompt,
        vision_pos_embeds=[positions[-1]],
        text_mask=mask,
    )
    decoded = _decoded(network, encoded, mask)
    masks = network.mask_decoder(
        decoder_queries=decoded.intermediate_hidden_states[-1],
        backbone_features=list(features),
        encoder_hidden_states=encoded.last_hidden_state,
        prompt_features=prompt,
        prompt_mask=mask,
    ).pred_masks
    one = _read(network, decoded, encoded, mask, masks)
    if not many:
        return one, None
    with _without_self_attention(network.detr_decoder):
        others = _decoded(network, encoded, mask)
    return one, _read(network, others, encoded, mask, None)


def unread(config: Any) -> tuple[str, ...]:
    """The prefixes of the names of tensors of a Sam3Model that a loss on `answers` does not train.

    These are boxes as prompts (the rest of the geometry encoder encodes the empty prompt), a head
    that the loss leaves out, and the parts of the coarsest level of the pyramid, which SAM3 drops.
    """
    levels = len(config.vision_config.scale_factors) - 1
    return (
        "geometry_encoder.boxes_",
        "geometry_encoder.label_embed.",
        "geometry_encoder.vision_layer_norm.",
        "text_encoder.text_projection.",
        "mask_decoder.semantic_projection.",
        f"mask_decoder.pixel_decoder.conv_layers.{levels - 1}.",
        f"mask_decoder.pixel_decoder.norms.{levels - 1}.",
        f"vision_encoder.neck.fpn_layers.{levels}.",
    )


def checkpoint_blocks(network: nn.Module) -> None:
    """Let each block of the vision transformer store only its input and recompute the rest."""
    backbone: Any = network.get_submodule("vision_encoder.backbone")
    for layer in backbone.layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def _with_empty_geometry(
    network: Any,
    text_features: Tensor,
    text_mask: Tensor,
    features: Sequence[Tensor],
    positions: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """The features (n, t + 1, c) of text and no boxes, and which of them count (n, t + 1)."""
    count = len(text_features)
    # In 32 bits: the pooling of features in boxes, even in none, does not support bfloat16.
    with torch.autocast(text_features.device.type, enabled=False):
        empty = network.geometry_encoder(
            box_embeddings=text_features.new_zeros((count, 0, 4), dtype=torch.float32),
            box_mask=text_mask.new_zeros(count, 0),
            box_labels=text_mask.new_zeros(count, 0),
            img_feats=[features[-1].float()],
            img_pos_embeds=[positions[-1].float()],
        )
    token = empty.last_hidden_state.to(text_features.dtype)
    return (
        torch.cat([text_features, token], dim=1),
        torch.cat([text_mask, empty.attention_mask], dim=1),
    )


def _decoded(network: Any, encoded: Any, text_mask: Tensor) -> Any:
    return network.detr_decoder(
        vision_features=encoded.last_hidden_state,
        text_features=encoded.text_features,
        vision_pos_encoding=encoded.pos_embeds_flattened,
        text_mask=text_mask,
        spatial_shapes=encoded.spatial_shapes,
    )


def _read(
    network: Any, decoded: Any, encoded: Any, text_mask: Tensor, masks: Tensor | None
) -> Answers:
    """The heads of a pass of the decoder, in 32 bits for the losses."""
    hidden = decoded.intermediate_hidden_states
    before = decoded.reference_boxes.float().clamp(0, 1)
    logit = torch.log(before.clamp(min=_LEAST) / (1 - before).clamp(min=_LEAST))
    scores = network.dot_product_scoring(
        decoder_hidden_states=hidden, text_features=encoded.text_features, text_mask=text_mask
    )
    return Answers(
        scores.squeeze(-1).float(),
        (logit + network.detr_decoder.box_head(hidden).float()).sigmoid(),
        decoded.presence_logits.squeeze(-1).float(),
        None if masks is None else masks.float(),
    )


@contextmanager
def _without_self_attention(decoder: Any) -> Iterator[None]:
    """Within the block, self-attention among queries returns zeros."""

    def zero(module: nn.Module, inputs: Any, output: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
        return torch.zeros_like(output[0]), output[1]

    hooks = [layer.self_attn.register_forward_hook(zero) for layer in decoder.layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
