"""Named attacks through the configurations of SAM 2's and SAM 3's image side."""

from __future__ import annotations

from Testing.attacks.foreign_changes import MANY, Change, setting
from Testing.attacks.medsam2_attacks import CONFIGS

_backbone = ("vision_config", "backbone_config")

# Those of MedSAM2 that are not about its memory, and some of its own.
SAM2: dict[str, Change] = {
    **CONFIGS,
    "another network": setting("model_type")("bert"),
    "a network in a list": setting("model_type")(["sam2"]),
    "a decoder of strings": setting("mask_decoder_config", "num_attention_heads")("8"),
    "a stability of nothing": setting("mask_decoder_config", "dynamic_multimask_stability_thresh")(
        -1
    ),
    "sides that differ": setting(*_backbone, "image_size")([64, 128]),
}
SAM3: dict[str, Change] = {
    "attention from elsewhere": setting("attn_implementation")("someone/kernels"),
    "code from elsewhere": setting("auto_map")({"AutoModel": "someone/x--code.Model"}),
    "another network": setting("model_type")("bert"),
    "another backbone": setting(*_backbone, "model_type")("dinov2"),
    "a backbone of a number": setting(*_backbone)(3),
    "a million layers": setting(*_backbone, "num_hidden_layers")(MANY),
    "a billion channels": setting(*_backbone, "hidden_size")(10**9),
    "heads that do not divide": setting(*_backbone, "num_attention_heads")(7),
    "windows beyond": setting(*_backbone, "window_size")(MANY),
    "windows of nothing": setting(*_backbone, "window_size")(0),
    "layers that are not there": setting(*_backbone, "global_attn_indexes")([99]),
    "a patch of two sides": setting(*_backbone, "patch_size")([14, 7]),
    "a huge slice": setting(*_backbone, "image_size")(MANY),
    "a slice of half a patch": setting(*_backbone, "image_size")(91),
    "a training of nothing": setting(*_backbone, "pretrain_image_size")(14),
    "an activation of code": setting(*_backbone, "hidden_act")("os.system"),
    "a pyramid of one level": setting("vision_config", "scale_factors")([1.0]),
    "a pyramid upside down": setting("vision_config", "scale_factors")([1.0, 2.0, 4.0]),
    "prompts of another slice": setting("prompt_encoder_config", "image_size")(1008),
    "masks without end": setting("mask_decoder_config", "num_multimask_outputs")(MANY),
    "a decoder in a list": setting("mask_decoder_config")([1]),
}
