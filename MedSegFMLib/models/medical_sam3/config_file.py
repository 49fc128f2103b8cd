"""The `config.json` beside SAM3's weights as transformers' configurations, from checked settings.

transformers itself would take from such a file the name of a kernel to download
(`attn_implementation`), of code to import (`auto_map`), of a quantisation, and of another network
in each part (`model_type`). All of these are set here.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    stated_parts,
    typed_settings,
)
from .config_rules import (
    BACKBONE,
    PARTS,
    TEXT,
    TRACKER,
    TRACKER_PARTS,
    VISION,
)

if TYPE_CHECKING:
    from transformers import Sam3Config, Sam3TrackerVideoConfig

CONFIG = "config.json"

_TYPES = ("sam3", "sam3_video")
# torch's own attention.
_ATTENTION = "sdpa"
_MOST_TOKENS = 1 << 14
_PUBLISHED_WORDS = 49408
_REMOVE = "remove it, or get it again"
_WITHOUT_TRACKER = "get it again, or leave the tracker out with --option propagation=boxes"


def config_beside(path: Path) -> Sam3Config:
    """The configuration in `config.json` beside a file, else the published network's.

    Raises:
        WeightsError: If that file is not a configuration of SAM3.
    """
    from transformers import Sam3Config

    file = path.with_name(CONFIG)
    verdict = "is not a configuration of SAM3"
    with configuration_errors("medical-sam3", file, "SAM3 has", _REMOVE, verdict):
        values = read_json(file) if file.is_file() else {}
        kind = values.get("model_type", None if values else _TYPES[0])
        if kind not in _TYPES:
            raise WeightsError(
                f"{file} is of the network {plain(kind)}, not of SAM3; put the weights into a "
                "folder of their own."
            )
        # A configuration of the video network contains the detector's.
        config = Sam3Config(**_detector(values.get("detector_config") or values))
        config._attn_implementation = _ATTENTION
        return config


def tracker_config(detector: Sam3Config, path: Path) -> Sam3TrackerVideoConfig:
    """The tracker's configuration in `config.json` beside a file, else the published one.

    Raises:
        WeightsError: If that file is not a valid configuration.
    """
    from transformers import Sam3TrackerVideoConfig

    file = path.with_name(CONFIG)
    vision: Any = detector.vision_config
    verdict = "is not a configuration of SAM3's tracker"
    with configuration_errors("medical-sam3", file, "it has", _WITHOUT_TRACKER, verdict):
        values = read_json(file) if file.is_file() else {}
        side = vision.backbone_config.image_size
        published = {"vision_config": vision.to_dict(), "image_size": side}
        config = Sam3TrackerVideoConfig(**_tracker(values.get("tracker_config") or published))
        config._attn_implementation = _ATTENTION
        return config


def _detector(values: object) -> dict[str, Any]:
    """The settings of `Sam3Config`, all of them checked."""
    parts = stated_parts(values, "the configuration")
    settings: dict[str, Any] = {
        name: known_settings(parts[name], rules, name)
        for name, rules in PARTS.items()
        if name in parts
    }
    if "vision_config" in parts:
        settings["vision_config"] = _vision(parts["vision_config"])
    if "text_config" in parts:
        text = parts["text_config"]
        settings["text_config"] = typed_settings(text, TEXT, "text_config", "clip_text_model")
        _check_words(settings["text_config"])
    return settings


def _tracker(values: object) -> dict[str, Any]:
    """The settings of `Sam3TrackerVideoConfig`, all of them checked."""
    parts = stated_parts(values, "tracker_config")
    settings = known_settings(values, TRACKER, "tracker_config")
    if "vision_config" in parts:
        settings["vision_config"] = _vision(parts["vision_config"])
    for name, rules in TRACKER_PARTS.items():
        if name in parts:
            settings[name] = known_settings(parts[name], rules, name)
    return settings


def _vision(values: object) -> dict[str, Any]:
    settings = typed_settings(values, VISION, "vision_config", "sam3_vision_model")
    parts = stated_parts(values, "vision_config")
    if "backbone_config" in parts:
        backbone = typed_settings(
            parts["backbone_config"], BACKBONE, "backbone_config", "sam3_vit_model"
        )
        _check_tokens(backbone)
        settings["backbone_config"] = backbone
    return settings


def _check_words(text: Mapping[str, Any]) -> None:
    """Check that the tokens with a meaning of their own have numbers in the vocabulary."""
    size = text.get("vocab_size", _PUBLISHED_WORDS)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if (text.get(name) or 0) >= size:
            raise SettingFault(
                f"{name} of text_config is {text[name]}, and there are {size} tokens (vocab_size)"
            )


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
