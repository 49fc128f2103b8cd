"""The settings of SAM 2's networks in transformers that a config.json may set, and their rules.

Everything else that such a file contains is left out: transformers would read names of code, of
kernels and of quantisation from it, none of which belongs to the weights.
"""

from __future__ import annotations

from ..common.setting_rules import (
    CHANNELS,
    FLAG,
    FRACTION,
    MOST_CHANNELS,
    MOST_LAYERS,
    Rules,
    each,
    either,
    group,
    number,
    one_of,
    one_or_each,
    optional,
    whole,
)

_ACTIVATION = one_of(
    *("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu", "relu6"),
    *("silu", "swish", "mish", "sigmoid", "tanh", "leaky_relu"),
)
_WIDE = whole(1, 4 * MOST_CHANNELS)
_LAYERS = whole(1, MOST_LAYERS)
_HEADS = whole(1, 256)
_KERNEL = whole(1, 31)
_PAIR = one_or_each(whole(0, 31), 2, 2)
_STRIDE = one_or_each(whole(1, 16), 2, 2)
# Multiples of the stride of the coarsest level, on which masks are defined.
_SIDE = whole(32, 2048)
_SIDES = one_or_each(_SIDE, 2, 2)
_FEATURE_SIDE = whole(1, 1024)
_FEW = whole(0, 1000)
_SPREAD: Rules = {"initializer_range": number(0, 10), "layer_norm_eps": FRACTION}

BACKBONE: Rules = {
    "hidden_size": CHANNELS,
    "num_attention_heads": _HEADS,
    "num_channels": whole(3, 3),
    "image_size": _SIDES,
    "patch_kernel_size": _PAIR,
    "patch_stride": _STRIDE,
    "patch_padding": _PAIR,
    "query_stride": _STRIDE,
    "window_positional_embedding_background_size": each(whole(1, 256), 2, 2),
    "num_query_pool_stages": whole(0, 8),
    "blocks_per_stage": each(_LAYERS, 1, 8),
    "embed_dim_per_stage": each(CHANNELS, 1, 8),
    "num_attention_heads_per_stage": each(_HEADS, 1, 8),
    "window_size_per_stage": each(whole(0, 256), 1, 8),
    "global_attention_blocks": optional(each(whole(0, MOST_LAYERS), 0, MOST_LAYERS)),
    "mlp_ratio": number(0.1, 16),
    "hidden_act": _ACTIVATION,
    **_SPREAD,
}
VISION: Rules = {
    "backbone_channel_list": each(CHANNELS, 1, 8),
    "backbone_feature_sizes": each(each(_FEATURE_SIDE, 2, 2), 3, 3),
    "fpn_hidden_size": CHANNELS,
    "fpn_kernel_size": whole(1, 1),
    "fpn_stride": whole(1, 1),
    "fpn_padding": whole(0, 0),
    "fpn_top_down_levels": each(whole(0, 8), 0, 8),
    "num_feature_levels": whole(3, 3),
    "hidden_act": _ACTIVATION,
    **_SPREAD,
}
# The parts beside the encoder of images.
PARTS: dict[str, Rules] = {
    "prompt_encoder_config": {
        "hidden_size": CHANNELS,
        "image_size": _SIDE,
        "patch_size": whole(4, 64),
        "mask_input_channels": CHANNELS,
        "num_point_embeddings": whole(4, 4),
        "hidden_act": _ACTIVATION,
        "layer_norm_eps": FRACTION,
        "scale": whole(1, 64),
    },
    "mask_decoder_config": {
        "hidden_size": CHANNELS,
        "hidden_act": _ACTIVATION,
        "mlp_dim": _WIDE,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "attention_downsample_rate": whole(1, 64),
        "num_multimask_outputs": whole(1, 64),
        "iou_head_depth": whole(2, 64),
        "iou_head_hidden_dim": CHANNELS,
        "dynamic_multimask_via_stability": FLAG,
        "dynamic_multimask_stability_delta": number(-1000, 1000),
        "dynamic_multimask_stability_thresh": FRACTION,
    },
}
VIDEO: Rules = {
    "image_size": _SIDE,
    "initializer_range": number(0, 10),
    "num_maskmem": whole(1, 64),
    "sigmoid_scale_for_mem_enc": number(-1000, 1000),
    "sigmoid_bias_for_mem_enc": number(-1000, 1000),
    "enable_occlusion_spatial_embedding": FLAG,
    "multimask_output_in_sam": FLAG,
    "multimask_min_pt_num": _FEW,
    "multimask_max_pt_num": _FEW,
    "multimask_output_for_tracking": FLAG,
    "max_object_pointers_in_encoder": whole(1, 1000),
    "max_cond_frame_num": either(whole(-1, -1), _FEW),
    "enable_temporal_pos_encoding_for_object_pointers": FLAG,
    "memory_attention_hidden_size": CHANNELS,
    "memory_attention_num_layers": _LAYERS,
    "memory_attention_num_attention_heads": _HEADS,
    "memory_attention_downsample_rate": whole(1, 64),
    "memory_attention_feed_forward_hidden_size": _WIDE,
    "memory_attention_feed_forward_hidden_act": _ACTIVATION,
    "memory_attention_dropout": FRACTION,
    "memory_attention_rope_feat_sizes": each(_FEATURE_SIDE, 2, 2),
    "memory_attention_rope_dropout": FRACTION,
    "memory_encoder_hidden_size": CHANNELS,
    "memory_encoder_output_channels": CHANNELS,
    "rope_parameters": optional(
        group({"rope_type": one_of("axial"), "rope_theta": number(1, 1e9)})
    ),
    "mask_downsampler_embed_dim": CHANNELS,
    "mask_downsampler_kernel_size": _KERNEL,
    "mask_downsampler_stride": whole(2, 16),
    "mask_downsampler_padding": whole(0, 31),
    "mask_downsampler_total_stride": whole(1, 64),
    "mask_downsampler_hidden_act": _ACTIVATION,
    "memory_fuser_num_layers": _LAYERS,
    "memory_fuser_embed_dim": CHANNELS,
    "memory_fuser_intermediate_dim": _WIDE,
    "memory_fuser_kernel_size": _KERNEL,
    "memory_fuser_padding": whole(0, 31),
    "memory_fuser_layer_scale_init_value": FRACTION,
    "memory_fuser_hidden_act": _ACTIVATION,
}
