"""The settings of SAM3's networks in transformers that a config.json may set, and their rules.

Everything else that such a file contains is left out: transformers would read names of code, of
kernels and of quantisation from it, none of which belongs to the weights.
"""

from __future__ import annotations

from ..common.setting_rules import (
    CHANNELS,
    FRACTION,
    Rules,
    each,
    number,
    optional,
    whole,
)
from ..sam.sam3.config_rules import ROPE
from ..sam.video_setting_rules import (
    ACTIVATION,
    FEATURE_SIDE,
    HEADS,
    LAYERS,
    MEMORY,
    SPREAD,
    WIDE,
)

_TOKEN = whole(0, 1 << 20)

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

TRACKER: Rules = {
    **MEMORY,
    "image_size": whole(14, 2048),
    "memory_attention_rope_feat_sizes": optional(each(FEATURE_SIDE, 2, 2)),
    "rope_parameters": ROPE,
}
