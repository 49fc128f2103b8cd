"""The settings of SAM 2's image side in transformers that a config.json may set, and their rules.

Everything else that such a file contains is left out: transformers would read names of code, of
kernels and of quantisation from it, none of which belongs to the weights.
"""

from __future__ import annotations

from ...common.setting_rules import (
    CHANNELS,
    MOST_LAYERS,
    Rules,
    each,
    number,
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
)

_PAIR = one_or_each(whole(0, 31), 2, 2)
_STRIDE = one_or_each(whole(1, 16), 2, 2)
# Multiples of the stride of the coarsest level, on which masks are defined.
SIDE = whole(32, 2048)
_SIDES = one_or_each(SIDE, 2, 2)

BACKBONE: Rules = {
    "hidden_size": CHANNELS,
    "num_attention_heads": HEADS,
    "num_channels": whole(3, 3),
    "image_size": _SIDES,
    "patch_kernel_size": _PAIR,
    "patch_stride": _STRIDE,
    "patch_padding": _PAIR,
    "query_stride": _STRIDE,
    "window_positional_embedding_background_size": each(whole(1, 256), 2, 2),
    "num_query_pool_stages": whole(0, 8),
    "blocks_per_stage": each(LAYERS, 1, 8),
    "embed_dim_per_stage": each(CHANNELS, 1, 8),
    "num_attention_heads_per_stage": each(HEADS, 1, 8),
    "window_size_per_stage": each(whole(0, 256), 1, 8),
    "global_attention_blocks": optional(each(whole(0, MOST_LAYERS), 0, MOST_LAYERS)),
    "mlp_ratio": number(0.1, 16),
    "hidden_act": ACTIVATION,
    **SPREAD,
}
VISION: Rules = {
    "backbone_channel_list": each(CHANNELS, 1, 8),
    "backbone_feature_sizes": each(each(FEATURE_SIDE, 2, 2), 3, 3),
    "fpn_hidden_size": CHANNELS,
    "fpn_kernel_size": whole(1, 1),
    "fpn_stride": whole(1, 1),
    "fpn_padding": whole(0, 0),
    "fpn_top_down_levels": each(whole(0, 8), 0, 8),
    "num_feature_levels": whole(3, 3),
    "hidden_act": ACTIVATION,
    **SPREAD,
}
# The parts beside the encoder of images.
PARTS: dict[str, Rules] = {
    "prompt_encoder_config": {
        **PROMPT_ENCODER,
        "image_size": SIDE,
        "patch_size": whole(4, 64),
        "num_point_embeddings": whole(4, 4),
    },
    "mask_decoder_config": {**MASK_DECODER, "iou_head_depth": whole(2, 64)},
}
