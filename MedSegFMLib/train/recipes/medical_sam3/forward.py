"""What SAM3's detector answers at each layer of its decoder, which training learns from.

transformers' own pass gives the last layer alone. The one-to-many queries are those of DAC-DETR
(Hu et al., "DAC-DETR: divide the attention layers and conquer", NeurIPS 2023), as SAM3 was trained:
the same queries and weights once more, without the attention among queries that keeps all but one
of them from an object.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """Of one pass: n slices, q queries, l layers of the decoder, the last of which counts.

    logits: (l, n, q), how well a query fits the words. boxes: (l, n, q, 4), centre and widths as
    parts of the slice. presence: (l, n) logits, whether the object is on the slice.
    masks: (n, q, h, w) logits of the last layer; None of the one-to-many pass.
    """

    logits: Tensor
    boxes: Tensor
    presence: Tensor
    masks: Tensor | None


def answers(
    network: Any, images: Tensor, tokens: Tensor, counts: Tensor, many: bool
) -> tuple[Answers, Answers | None]:
    """What a Sam3Model answers to words, and, where `many`, what its one-to-many queries do.

    images: (n, 3, side, side). tokens, counts: (n, t) int64, the words and which of them count.
    """
    levels = network.vision_encoder(images)
    features, positions = levels.fpn_hidden_states[:-1], levels.fpn_position_encoding[:-1]
    words = network.get_text_features(
        input_ids=tokens, attention_mask=counts, return_dict=True
    ).pooler_output
    told = counts.bool()
    encoded = network.detr_encoder(
        vision_features=[features[-1]],
        text_features=words,
        vision_pos_embeds=[positions[-1]],
        text_mask=told,
    )
    decoded = _decoded(network, encoded, told)
    masks = network.mask_decoder(
        decoder_queries=decoded.intermediate_hidden_states[-1],
        backbone_features=list(features),
        encoder_hidden_states=encoded.last_hidden_state,
        prompt_features=words,
        prompt_mask=told,
    ).pred_masks
    one = _read(network, decoded, encoded, told, masks)
    if not many:
        return one, None
    with _without_self_attention(network.detr_decoder):
        others = _decoded(network, encoded, told)
    return one, _read(network, others, encoded, told, None)


def unread(config: Any) -> tuple[str, ...]:
    """How the names of those tensors of a Sam3Model begin from which no loss on `answers` learns.

    Boxes as prompts, a head that the loss leaves out, and what belongs to the coarsest level of the
    pyramid, which SAM3 drops.
    """
    levels = len(config.vision_config.scale_factors) - 1
    return (
        "geometry_encoder.",
        "text_encoder.text_projection.",
        "mask_decoder.semantic_projection.",
        f"mask_decoder.pixel_decoder.conv_layers.{levels - 1}.",
        f"mask_decoder.pixel_decoder.norms.{levels - 1}.",
        f"vision_encoder.neck.fpn_layers.{levels}.",
    )


def checkpoint_blocks(network: nn.Module) -> None:
    """Have each block of the vision transformer keep its input alone and compute the rest again."""
    backbone: Any = network.get_submodule("vision_encoder.backbone")
    for layer in backbone.layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def _decoded(network: Any, encoded: Any, told: Tensor) -> Any:
    return network.detr_decoder(
        vision_features=encoded.last_hidden_state,
        text_features=encoded.text_features,
        vision_pos_encoding=encoded.pos_embeds_flattened,
        text_mask=told,
        spatial_shapes=encoded.spatial_shapes,
    )


def _read(network: Any, decoded: Any, encoded: Any, told: Tensor, masks: Tensor | None) -> Answers:
    """The heads of a pass of the decoder; in 32 bits, as losses want them."""
    hidden = decoded.intermediate_hidden_states
    before = decoded.reference_boxes.float().clamp(0, 1)
    logit = torch.log(before.clamp(min=_LEAST) / (1 - before).clamp(min=_LEAST))
    scores = network.dot_product_scoring(
        decoder_hidden_states=hidden, text_features=encoded.text_features, text_mask=told
    )
    return Answers(
        scores.squeeze(-1).float(),
        (logit + network.detr_decoder.box_head(hidden).float()).sigmoid(),
        decoded.presence_logits.squeeze(-1).float(),
        None if masks is None else masks.float(),
    )


@contextmanager
def _without_self_attention(decoder: Any) -> Iterator[None]:
    """Within the block what queries hear of one another is nothing; all else stays."""

    def silent(module: nn.Module, given: Any, heard: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
        return torch.zeros_like(heard[0]), heard[1]

    hooks = [layer.self_attn.register_forward_hook(silent) for layer in decoder.layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
