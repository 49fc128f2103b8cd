"""The settings of SAM3's networks in transformers that a config.json may set, and their rules.

Everything else that such a file contains is left out: transformers would read names of code, of
kernels and of quantisation from it, none of which belongs to the weights.
"""

from __future__ import annotations

from ..common.setting_rules import (
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
from ..sam.video_setting_rules import (
    ACTIVATION,
    FEATURE_SIDE,
    HEADS,
    LAYERS,
    MASK_DECODER,
    MEMORY,
    PROMPT_ENCODER,
    SPREAD,
    WIDE,
)

_SIDE = one_or_each(whole(14, 2048), 2, 2)
_TOKEN = whole(0, 1 << 20)
_ROPE = optional(group({"rope_type": one_of("default", "axial"), "rope_theta": number(1, 1e9)}))

_ATTENTION: Rules = {
    "hidden_size": CHANNELS,
    "num_attention_heads": HEADS,
    "intermediate_size": WIDE,
    "num_layers": LAYERS,
    "dropout": FRACTION,
    "hidden_act": ACTIVATION,
    "hidden_dropout": FRACTION,
    **SPREAD,
}

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
    "rope_parameters": _ROPE,
    **SPREAD,
}
VISION: Rules = {
    "fpn_hidden_size": CHANNELS,
    "backbone_feature_sizes": optional(each(each(FEATURE_SIDE, 2, 2), 1, 4)),
    "scale_factors": optional(each(one_of(4.0, 2.0, 1.0, 0.5, 4, 2, 1), 1, 4)),
    "hidden_act": ACTIVATION,
    **SPREAD,
}
TEXT: Rules = {
    "vocab_size": whole(1, 1 << 20),
    "hidden_size": CHANNELS,
    "intermediate_size": WIDE,
    "projection_dim": optional(CHANNELS),
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": whole(1, 4096),
    "hidden_act": ACTIVATION,
    "attention_dropout": optional(FRACTION),
    "initializer_factor": optional(number(0, 10)),
    "pad_token_id": optional(_TOKEN),
    "bos_token_id": optional(_TOKEN),
    "eos_token_id": optional(_TOKEN),
    **SPREAD,
}
# The parts of a detector beside its encoders of images and texts.
PARTS: dict[str, Rules] = {
    "geometry_encoder_config": {**_ATTENTION, "roi_size": whole(1, 64)},
    "detr_encoder_config": _ATTENTION,
    "detr_decoder_config": {**_ATTENTION, "num_queries": whole(1, 4096)},
    "mask_decoder_config": {
        "hidden_size": CHANNELS,
        "num_upsampling_stages": whole(1, 8),
        "dropout": FRACTION,
        "num_attention_heads": HEADS,
        **SPREAD,
    },
}

# The parts of a tracker beside the encoder of images.
TRACKER_PARTS: dict[str, Rules] = {
    "prompt_encoder_config": {
        **PROMPT_ENCODER,
        "image_size": _SIDE,
        "patch_size": one_or_each(whole(4, 64), 2, 2),
        "num_point_embeddings": whole(1, 64),
    },
    "mask_decoder_config": {**MASK_DECODER, "iou_head_depth": whole(1, 64)},
}
TRACKER: Rules = {
    **MEMORY,
    "image_size": whole(14, 2048),
    "memory_attention_rope_feat_sizes": optional(each(FEATURE_SIDE, 2, 2)),
    "rope_parameters": _ROPE,
}
