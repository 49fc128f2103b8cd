"""SAM 3's image side as transformers' configuration: published, or from a checked `config.json`.

transformers itself would take from such a file the name of a kernel to download
(`attn_implementation`), of code to import (`auto_map`), of a quantisation, and of another network
in each part (`model_type`). Here only settings with a rule reach it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import WeightsError
from ....weights.folders import read_json
from ...common.setting_rules import (
    SettingFault,
    check_window,
    known_settings,
    plain,
    shown,
    stated_parts,
    typed_settings,
)
from ..layouts.transformers_files import ATTENTION, CONFIG, IN_FOLDER
from .config_rules import BACKBONE, PARTS, VISION

if TYPE_CHECKING:
    from transformers import Sam3TrackerConfig

# With the tracker, which decodes masks from clicks, and the image side alone.
_VIDEO, _ALONE = "sam3_video", "sam3_tracker"
TYPES = (_VIDEO, _ALONE)
_MOST_TOKENS = 1 << 14


def image_config(path: Path) -> Sam3TrackerConfig:
    """The configuration in `config.json` beside a file, else the published network's.

    Beside a `.pt` file, which its authors publish without one, that of another network is ignored:
    the folder of installed weights is shared.

    Raises:
        WeightsError: If the `config.json` is of another network.
        SettingFault: If a setting breaks its rule.
    """
    from transformers import Sam3TrackerConfig

    file = path.with_name(CONFIG)
    values = read_json(file) if file.is_file() else {}
    kind = values.get("model_type", None if values else _VIDEO)
    if kind not in TYPES and path.name == IN_FOLDER:
        raise WeightsError(
            f"{file} is of the network {plain(kind)}, not of {' or '.join(TYPES)}; put the "
            "weights into a folder of their own."
        )
    stated: object = values if values and kind in TYPES else {}
    if isinstance(stated, dict) and kind == _VIDEO:
        stated = stated.get("tracker_config") or {}
    config = Sam3TrackerConfig(**image_settings(stated))
    _check_sides(config)
    config._attn_implementation = ATTENTION
    return config


def image_settings(values: object) -> dict[str, Any]:
    """The settings of the image side that a configuration states, each of them checked.

    Raises:
        SettingFault: One breaks its rule.
    """
    parts = stated_parts(values, "the configuration of the tracker")
    settings: dict[str, Any] = {
        name: known_settings(parts[name], rules, name)
        for name, rules in PARTS.items()
        if name in parts
    }
    if "vision_config" in parts:
        settings["vision_config"] = vision_settings(parts["vision_config"])
    return settings


def vision_settings(values: object) -> dict[str, Any]:
    """The settings of the vision encoder, each of them checked.

    Raises:
        SettingFault: One breaks its rule.
    """
    settings = typed_settings(values, VISION, "vision_config", "sam3_vision_model")
    parts = stated_parts(values, "vision_config")
    if "backbone_config" in parts:
        backbone = typed_settings(
            parts["backbone_config"], BACKBONE, "backbone_config", "sam3_vit_model"
        )
        _check_tokens(backbone)
        settings["backbone_config"] = backbone
    return settings


def _check_tokens(backbone: Mapping[str, Any]) -> None:
    """Check the number of patches of a slice, and that their features fit into memory."""
    image, patch = (
        value if isinstance(value, int) else min(value)
        for value in (backbone.get("image_size", 1008), backbone.get("patch_size", 14))
    )
    side = image // patch
    if side * side > _MOST_TOKENS:
        raise SettingFault(
            f"backbone_config has {side * side} patches, and at most {_MOST_TOKENS} are supported"
        )
    if backbone.get("window_size", 0) > side:
        raise SettingFault(
            f"window_size of backbone_config is {backbone['window_size']}, and a slice is {side} "
            "patches wide"
        )
    check_window((side, side), 1, backbone.get("intermediate_size", 1), "a slice (image_size)")


def _check_sides(config: Any) -> None:
    """Check that the parts are of square slices of one size.

    Raises:
        SettingFault: They are not.
    """
    backbone, prompts = config.vision_config.backbone_config, config.prompt_encoder_config
    sides = {
        "image_size of backbone_config": backbone.image_size,
        "image_size of prompt_encoder_config": prompts.image_size,
        "patch_size of backbone_config": backbone.patch_size,
        "patch_size of prompt_encoder_config": prompts.patch_size,
    }
    for name, value in sides.items():
        needed = backbone.image_size if "image" in name else backbone.patch_size
        if type(value) is not int or value != needed:
            raise SettingFault(
                f"{name} is {shown(value)}, and all parts need one whole number of pixels"
            )
    if backbone.image_size % backbone.patch_size:
        raise SettingFault(
            f"image_size of backbone_config is {backbone.image_size}, and it must be a multiple of "
            f"patch_size, {backbone.patch_size}"
        )
