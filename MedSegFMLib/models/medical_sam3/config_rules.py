"""The settings of SAM3's networks in transformers that a config.json may set, and their rules.

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
_SIDE = one_or_each(whole(14, 2048), 2, 2)
_FEATURE_SIDE = whole(1, 1024)
_TOKEN = whole(0, 1 << 20)
_ROPE = optional(group({"rope_type": one_of("default", "axial"), "rope_theta": number(1, 1e9)}))
_SPREAD: Rules = {"initializer_range": number(0, 10), "layer_norm_eps": FRACTION}

_ATTENTION: Rules = {
    "hidden_size": CHANNELS,
    "num_attention_heads": _HEADS,
    "intermediate_size": _WIDE,
    "num_layers": _LAYERS,
    "dropout": FRACTION,
    "hidden_act": _ACTIVATION,
    "hidden_dropout": FRACTION,
    **_SPREAD,
}

BACKBONE: Rules = {
    "hidden_size": CHANNELS,
    "intermediate_size": _WIDE,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": _HEADS,
    "num_channels": whole(3, 3),
    "image_size": _SIDE,
    "patch_size": one_or_each(whole(4, 64), 2, 2),
    "hidden_act": _ACTIVATION,
    "attention_dropout": FRACTION,
    "window_size": whole(0, 1024),
    "global_attn_indexes": optional(each(whole(0, MOST_LAYERS), 0, MOST_LAYERS)),
    "layer_scale_init_value": optional(FRACTION),
    "pretrain_image_size": _SIDE,
    "hidden_dropout": FRACTION,
    "rope_parameters": _ROPE,
    **_SPREAD,
}
VISION: Rules = {
    "fpn_hidden_size": CHANNELS,
    "backbone_feature_sizes": optional(each(each(_FEATURE_SIDE, 2, 2), 1, 4)),
    "scale_factors": optional(each(one_of(4.0, 2.0, 1.0, 0.5, 4, 2, 1), 1, 4)),
    "hidden_act": _ACTIVATION,
    **_SPREAD,
}
TEXT: Rules = {
    "vocab_size": whole(1, 1 << 20),
    "hidden_size": CHANNELS,
    "intermediate_size": _WIDE,
    "projection_dim": optional(CHANNELS),
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": _HEADS,
    "max_position_embeddings": whole(1, 4096),
    "hidden_act": _ACTIVATION,
    "attention_dropout": optional(FRACTION),
    "initializer_factor": optional(number(0, 10)),
    "pad_token_id": optional(_TOKEN),
    "bos_token_id": optional(_TOKEN),
    "eos_token_id": optional(_TOKEN),
    **_SPREAD,
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
        "num_attention_heads": _HEADS,
        **_SPREAD,
    },
}

# The parts of a tracker beside the encoder of images.
TRACKER_PARTS: dict[str, Rules] = {
    "prompt_encoder_config": {
        "hidden_size": CHANNELS,
        "image_size": _SIDE,
        "patch_size": one_or_each(whole(4, 64), 2, 2),
        "mask_input_channels": CHANNELS,
        "num_point_embeddings": whole(1, 64),
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
        "iou_head_depth": whole(1, 64),
        "iou_head_hidden_dim": CHANNELS,
        "dynamic_multimask_via_stability": FLAG,
        "dynamic_multimask_stability_delta": number(-1000, 1000),
        "dynamic_multimask_stability_thresh": FRACTION,
    },
}
_FEW = whole(0, 1000)
TRACKER: Rules = {
    "image_size": whole(14, 2048),
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
    "memory_attention_rope_feat_sizes": optional(each(_FEATURE_SIDE, 2, 2)),
    "memory_attention_rope_dropout": FRACTION,
    "memory_encoder_hidden_size": CHANNELS,
    "memory_encoder_output_channels": CHANNELS,
    "rope_parameters": _ROPE,
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
