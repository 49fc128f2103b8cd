"""The settings of SAM 3's image side in transformers that a config.json may set, and their rules.

Everything else that such a file contains is left out: transformers would read names of code, of
kernels and of quantisation from it, none of which belongs to the weights.
"""

from __future__ import annotations

from ...common.setting_rules import (
    CHANNELS,
    FRACTION,
    MOST_LAYERS,
    Rules,
    each,
    group,
    number,
    one_of,
    one_or_each,
    optional,
    whole,
)
from ..video_setting_rules import (
    ACTIVATION,
    FEATURE_SIDE,
    HEADS,
    LAYERS,
    MASK_DECODER,
    PROMPT_ENCODER,
    SPREAD,
    WIDE,
)

_SIDE = one_or_each(whole(14, 2048), 2, 2)
ROPE = optional(group({"rope_type": one_of("default", "axial"), "rope_theta": number(1, 1e9)}))

BACKBONE: Rules = {
    "hidden_size": CHANNELS,
    "intermediate_size": WIDE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_channels": whole(3, 3),
    "image_size": _SIDE,
    "patch_size": one_or_each(whole(4, 64), 2, 2),
    "hidden_act": ACTIVATION,
    "attention_dropout": FRACTION,
    "window_size": whole(0, 1024),
    "global_attn_indexes": optional(each(whole(0, MOST_LAYERS), 0, MOST_LAYERS)),
    "layer_scale_init_value": optional(FRACTION),
    "pretrain_image_size": _SIDE,
    "hidden_dropout": FRACTION,
    "rope_parameters": ROPE,
    **SPREAD,
}
VISION: Rules = {
    "fpn_hidden_size": CHANNELS,
    "backbone_feature_sizes": optional(each(each(FEATURE_SIDE, 2, 2), 1, 4)),
    "scale_factors": optional(each(one_of(4.0, 2.0, 1.0, 0.5, 4, 2, 1), 1, 4)),
    "hidden_act": ACTIVATION,
    **SPREAD,
}
# The parts beside the encoder of images.
PARTS: dict[str, Rules] = {
    "prompt_encoder_config": {
        **PROMPT_ENCODER,
        "image_size": _SIDE,
        "patch_size": one_or_each(whole(4, 64), 2, 2),
        "num_point_embeddings": whole(1, 64),
    },
    "mask_decoder_config": {**MASK_DECODER, "iou_head_depth": whole(1, 64)},
}
