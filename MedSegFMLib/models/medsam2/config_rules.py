"""The settings of SAM 2's memory in transformers that a config.json may set, and their rules.

Those of its image side, and why everything else is left out, are in `sam.sam2.config_rules`.
"""

from __future__ import annotations

from ..common.setting_rules import Rules, each, group, number, one_of, optional
from ..sam.sam2.config_rules import SIDE
from ..sam.video_setting_rules import FEATURE_SIDE, MEMORY

VIDEO: Rules = {
    **MEMORY,
    "image_size": SIDE,
    "memory_attention_rope_feat_sizes": each(FEATURE_SIDE, 2, 2),
    "rope_parameters": optional(
        group({"rope_type": one_of("axial"), "rope_theta": number(1, 1e9)})
    ),
}
