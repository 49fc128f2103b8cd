"""Rules for the settings that SAM 2 and SAM 3 have in common in transformers.

Each family adds what differs; see `common.setting_rules`.
"""

from __future__ import annotations

from ..common.setting_rules import (
    CHANNELS,
    FLAG,
    FRACTION,
    MOST_CHANNELS,
    MOST_LAYERS,
    Rules,
    either,
    number,
    one_of,
    whole,
)

ACTIVATION = one_of(
    *("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu", "relu6"),
    *("silu", "swish", "mish", "sigmoid", "tanh", "leaky_relu"),
)
WIDE = whole(1, 4 * MOST_CHANNELS)
LAYERS = whole(1, MOST_LAYERS)
HEADS = whole(1, 256)
FEATURE_SIDE = whole(1, 1024)
SPREAD: Rules = {"initializer_range": number(0, 10), "layer_norm_eps": FRACTION}
_KERNEL = whole(1, 31)
_FEW = whole(0, 1000)

PROMPT_ENCODER: Rules = {
    "hidden_size": CHANNELS,
    "mask_input_channels": CHANNELS,
    "hidden_act": ACTIVATION,
    "layer_norm_eps": FRACTION,
    "scale": whole(1, 64),
}
MASK_DECODER: Rules = {
    "hidden_size": CHANNELS,
    "hidden_act": ACTIVATION,
    "mlp_dim": WIDE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "attention_downsample_rate": whole(1, 64),
    "num_multimask_outputs": whole(1, 64),
    "iou_head_hidden_dim": CHANNELS,
    "dynamic_multimask_via_stability": FLAG,
    "dynamic_multimask_stability_delta": number(-1000, 1000),
    "dynamic_multimask_stability_thresh": FRACTION,
}
MEMORY: Rules = {
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
    "memory_attention_num_layers": LAYERS,
    "memory_attention_num_attention_heads": HEADS,
    "memory_attention_downsample_rate": whole(1, 64),
    "memory_attention_feed_forward_hidden_size": WIDE,
    "memory_attention_feed_forward_hidden_act": ACTIVATION,
    "memory_attention_dropout": FRACTION,
    "memory_attention_rope_dropout": FRACTION,
    "memory_encoder_hidden_size": CHANNELS,
    "memory_encoder_output_channels": CHANNELS,
    "mask_downsampler_embed_dim": CHANNELS,
    "mask_downsampler_kernel_size": _KERNEL,
    "mask_downsampler_stride": whole(2, 16),
    "mask_downsampler_padding": whole(0, 31),
    "mask_downsampler_total_stride": whole(1, 64),
    "mask_downsampler_hidden_act": ACTIVATION,
    "memory_fuser_num_layers": LAYERS,
    "memory_fuser_embed_dim": CHANNELS,
    "memory_fuser_intermediate_dim": WIDE,
    "memory_fuser_kernel_size": _KERNEL,
    "memory_fuser_padding": whole(0, 31),
    "memory_fuser_layer_scale_init_value": FRACTION,
    "memory_fuser_hidden_act": ACTIVATION,
}
