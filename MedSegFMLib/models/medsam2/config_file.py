"""The `config.json` beside SAM 2's weights as transformers' configuration, from checked settings.

Without such a file the network is MedSAM2's: SAM 2.1 tiny for slices of 512 pixels a side
(sam2.1_hiera_t512.yaml of its repository).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...weights.folders import read_json
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import (
    SettingFault,
    check_window,
    known_settings,
    plain,
    shown,
    stated_parts,
    typed_settings,
)
from .config_rules import BACKBONE, PARTS, VIDEO, VISION

if TYPE_CHECKING:
    from transformers import Sam2VideoConfig

CONFIG = "config.json"
IN_FOLDER = "model.safetensors"
NAME = "medsam2"

_TYPE = "sam2_video"
# torch's own attention.
_ATTENTION = "sdpa"
_SIDE = 512
_REMOVE = "remove it, or get it again"
# Pixels between features of the three levels that are used, and of the coarsest one.
STRIDES = (4, 8, 16)
COARSEST = 32
VISION_TYPE, BACKBONE_TYPE = "sam2_vision_model", "sam2_hiera_det_model"


def config_beside(path: Path) -> Sam2VideoConfig:
    """The configuration in `config.json` beside a file, else MedSAM2's.

    Beside a `.pt` file, which its authors publish without one, that of another network is ignored:
    the folder of installed weights is shared.

    Raises:
        WeightsError: If that file is not a configuration of SAM 2 for videos.
    """
    from transformers import Sam2VideoConfig

    file = path.with_name(CONFIG)
    verdict = "is not a configuration of SAM 2"
    with configuration_errors(NAME, file, "SAM 2 has", _REMOVE, verdict):
        values = read_json(file) if file.is_file() else {}
        kind = values.get("model_type", None if values else _TYPE)
        if kind != _TYPE and path.name == IN_FOLDER:
            raise WeightsError(
                f"{file} is of the network {plain(kind)}, not of {_TYPE}; put the weights into a "
                "folder of their own."
            )
        is_own = bool(values) and kind == _TYPE
        config = Sam2VideoConfig(**(_settings(values) if is_own else published(_SIDE)))
        _check_sides(config)
        config._attn_implementation = _ATTENTION
        return config


def published(side: int) -> dict[str, Any]:
    """The settings of SAM 2.1 tiny for slices of `side` pixels a side."""
    levels = [[side // stride] * 2 for stride in STRIDES]
    return {
        "image_size": side,
        "memory_attention_rope_feat_sizes": levels[-1],
        "vision_config": {
            "model_type": VISION_TYPE,
            "backbone_feature_sizes": levels,
            "backbone_config": {"model_type": BACKBONE_TYPE, "image_size": [side, side]},
        },
        "prompt_encoder_config": {"image_size": side},
    }


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    """The settings of `Sam2VideoConfig`, each of them checked."""
    parts = stated_parts(values, "the configuration")
    settings = known_settings(parts, VIDEO, "the configuration")
    vision = stated_parts(parts.get("vision_config", {}), "vision_config")
    settings["vision_config"] = typed_settings(vision, VISION, "vision_config", VISION_TYPE)
    settings["vision_config"]["backbone_config"] = typed_settings(
        stated_parts(vision.get("backbone_config", {}), "backbone_config"),
        BACKBONE,
        "backbone_config",
        BACKBONE_TYPE,
    )
    for name, rules in PARTS.items():
        part = stated_parts(parts.get(name, {}), name)
        settings[name] = known_settings(part, rules, name)
    return settings


def _check_sides(config: Any) -> None:
    """Check that the parts are of the same slices, and that their features fit into memory.

    Raises:
        SettingFault: They are not, or do not.
    """
    side = config.image_size
    if side % COARSEST:
        raise SettingFault(f"image_size is {side}, and it must be a multiple of {COARSEST}")
    levels = [[side // stride] * 2 for stride in STRIDES]
    sides = {
        "image_size of prompt_encoder_config": (config.prompt_encoder_config.image_size, side),
        "patch_size of prompt_encoder_config": (
            config.prompt_encoder_config.patch_size,
            STRIDES[-1],
        ),
        "backbone_feature_sizes of vision_config": (
            config.vision_config.backbone_feature_sizes,
            levels,
        ),
        "memory_attention_rope_feat_sizes": (config.memory_attention_rope_feat_sizes, levels[-1]),
    }
    for name, (value, needed) in sides.items():
        if value != needed:
            raise SettingFault(
                f"{name} is {shown(value)}, and slices of {side} pixels need {shown(needed)}"
            )
    check_window((side, side), 1, config.vision_config.fpn_hidden_size, "a slice (image_size)")
