"""The predicted activations of a training step of SAM3's detector, from its shapes.

The counts above the vision transformer are those of tensors that autograd saved for the published
network on one slice: 1.87 GB in 32 bits and 1.11 GB in 16 with adapters, 0.34 and 0.21 GB more with
the one-to-many pass; this predicts 1.96, 1.17, 0.33 and 0.20.
"""

from __future__ import annotations

from typing import Any

# Bytes of a kept number; in 16 bits, norms and sums stay in 32.
WHOLE_BYTES, HALF_BYTES = 4.0, 2.4

# Feature maps that neck and mask decoder together keep at each of the neck's three resolutions.
_PICTURES = 6


def remembered_numbers(config: Any, recomputed: bool, many: bool, full: bool) -> int:
    """The numbers that a step keeps for one slice.

    Args:
        config: a `Sam3Config`.
        recomputed: whether blocks of the vision transformer store only their input and recompute
            the rest, one at a time.
        many: whether the one-to-many pass runs.
        full: whether all weights are trained, for which the decoder keeps more.
    """
    backbone = config.vision_config.backbone_config
    encoder, decoder = config.detr_encoder_config, config.detr_decoder_config
    side = backbone.image_size // backbone.patch_size
    tokens, queries = side**2, decoder.num_queries
    block = tokens * (10 * backbone.hidden_size + 2 * backbone.intermediate_size)
    layers = backbone.num_hidden_layers
    trunk = layers * tokens * backbone.hidden_size + block if recomputed else layers * block
    # Besides tokens, the logit of each pixel for each query.
    pyramid = _PICTURES * (16 + 4 + 1) * tokens * config.vision_config.fpn_hidden_size
    masks = 2 * 16 * tokens * queries
    mixed = encoder.num_layers * tokens * (10 * encoder.hidden_size + 2 * encoder.intermediate_size)
    # The distance of each pixel from each query's box, for each head, and the pixels' keys and
    # values.
    cross_attention = tokens * (
        decoder.num_attention_heads * (queries + 1) + 4 * decoder.hidden_size
    )
    # Activations of the small networks that compute these distances from rows and columns.
    distances = 2 * queries * side * decoder.hidden_size if full else 0
    passes = 2 if many else 1
    return int(
        trunk
        + pyramid
        + masks
        + mixed
        + passes * decoder.num_layers * (cross_attention + distances)
    )
