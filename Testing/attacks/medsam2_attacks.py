"""Named attacks through SAM 2's configurations."""

from __future__ import annotations

from Testing.attacks.foreign_changes import MANY, Change, setting

_backbone = ("vision_config", "backbone_config")

CONFIGS: dict[str, Change] = {
    "attention from elsewhere": setting("attn_implementation")("someone/kernels"),
    "attention from elsewhere inside": setting(*_backbone, "_attn_implementation")("a/kernels"),
    "code from elsewhere": setting("auto_map")({"AutoModel": "someone/x--code.Model"}),
    "quantisation": setting("quantization_config")({"quant_method": "bitsandbytes", "bits": 4}),
    "another network": setting("model_type")("sam2"),
    "a network in a list": setting("model_type")(["sam2_video"]),
    "another encoder": setting("vision_config", "model_type")("timm_wrapper"),
    "another backbone": setting(*_backbone, "model_type")("hiera"),
    "a backbone of a number": setting(*_backbone)(3),
    "a million blocks": setting(*_backbone, "blocks_per_stage")([1, 1, MANY, 1]),
    "no blocks": setting(*_backbone, "blocks_per_stage")([]),
    "a stage too few": setting(*_backbone, "embed_dim_per_stage")([16, 24, 32]),
    "a billion channels": setting(*_backbone, "embed_dim_per_stage")([16, 24, 32, 10**9]),
    "heads that do not divide": setting(*_backbone, "num_attention_heads_per_stage")([7] * 4),
    "windows of nothing": setting(*_backbone, "window_size_per_stage")([0] * 4),
    "windows beyond": setting(*_backbone, "window_size_per_stage")([MANY] * 4),
    "a stride of nothing": setting(*_backbone, "patch_stride")([0, 0]),
    "a stride of its own": setting(*_backbone, "patch_stride")([8, 8]),
    "a kernel beyond": setting(*_backbone, "patch_kernel_size")([MANY, 7]),
    "blocks that are not there": setting(*_backbone, "global_attention_blocks")([99]),
    "attention everywhere": setting(*_backbone, "global_attention_blocks")([0, 1, 2, 3, 4]),
    "an activation of code": setting(*_backbone, "hidden_act")("os.system"),
    "a huge slice": setting("image_size")(MANY),
    "a slice of text": setting("image_size")("64"),
    "a slice of its own": setting("image_size")(128),
    "features of one": setting("vision_config", "backbone_feature_sizes")([[1, 1]] * 3),
    "levels of none": setting("vision_config", "num_feature_levels")(0),
    "top down beyond": setting("vision_config", "fpn_top_down_levels")([7]),
    "turns of code": setting("rope_parameters")({"rope_type": "yarn", "factor": 9}),
    "turns of nothing": setting("rope_parameters")({}),
    "memories without end": setting("num_maskmem")(MANY),
    "layers without end": setting("memory_attention_num_layers")(MANY),
    "a memory of heads": setting("memory_attention_num_attention_heads")(7),
    "a memory of channels": setting("memory_encoder_output_channels")(63),
    "strides of one": setting("mask_downsampler_stride")(1),
    "downsampling beyond": setting("mask_downsampler_total_stride")(10**9),
    "no prompts": setting("prompt_encoder_config")({}),
    "prompts of another slice": setting("prompt_encoder_config", "image_size")(MANY),
    "a decoder in a list": setting("mask_decoder_config")([1]),
    "masks without end": setting("mask_decoder_config", "num_multimask_outputs")(MANY),
}
