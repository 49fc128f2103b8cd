"""What a training step of SAM3's detector remembers for its gradients, from the network's shapes.

The counts above the vision transformer are those of tensors that autograd saved of the published
network on one slice: 1.87 GB in 32 bits and 1.11 GB in 16 with adapters, 0.34 and 0.21 GB more with
the one-to-many pass; this predicts 1.96, 1.17, 0.33 and 0.20.
"""

from __future__ import annotations

from typing import Any

# Bytes of a remembered number; in 16 bits norms and sums stay in 32.
WHOLE_BYTES, HALF_BYTES = 4.0, 2.4

# Pictures at each of the neck's three resolutions that neck and mask decoder remember together.
_PICTURES = 6


def remembered_numbers(config: Any, recomputed: bool, many: bool, full: bool) -> int:
    """How many numbers a step remembers of one slice.

    config: a `Sam3Config`. recomputed: whether blocks of the vision transformer keep their input
    alone, and one at a time the rest. many: with the one-to-many pass. full: whether all weights
    learn, of which the decoder remembers more.
    """
    backbone = config.vision_config.backbone_config
    encoder, decoder = config.detr_encoder_config, config.detr_decoder_config
    side = backbone.image_size // backbone.patch_size
    tokens, queries = side**2, decoder.num_queries
    block = tokens * (10 * backbone.hidden_size + 2 * backbone.intermediate_size)
    layers = backbone.num_hidden_layers
    trunk = layers * tokens * backbone.hidden_size + block if recomputed else layers * block
    # Beside tokens, each query's logit of each pixel.
    pyramid = _PICTURES * (16 + 4 + 1) * tokens * config.vision_config.fpn_hidden_size
    masks = 2 * 16 * tokens * queries
    mixed = encoder.num_layers * tokens * (10 * encoder.hidden_size + 2 * encoder.intermediate_size)
    # How far each pixel is from each query's box, for each head, and keys and values of the pixels.
    seen = tokens * (decoder.num_attention_heads * (queries + 1) + 4 * decoder.hidden_size)
    # Of the small networks that make the former of rows and columns.
    far = 2 * queries * side * decoder.hidden_size if full else 0
    passes = 2 if many else 1
    return int(trunk + pyramid + masks + mixed + passes * decoder.num_layers * (seen + far))
