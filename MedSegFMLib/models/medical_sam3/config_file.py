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
    known_settings,
    plain,
    stated_parts,
    typed_settings,
)
from ..sam.layouts.transformers_files import ATTENTION, CONFIG
from ..sam.sam3.config_file import image_settings, vision_settings
from .config_rules import PARTS, TEXT, TRACKER

if TYPE_CHECKING:
    from transformers import Sam3Config, Sam3TrackerVideoConfig

_TYPES = ("sam3", "sam3_video")
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
        config._attn_implementation = ATTENTION
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
        config._attn_implementation = ATTENTION
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
        settings["vision_config"] = vision_settings(parts["vision_config"])
    if "text_config" in parts:
        text = parts["text_config"]
        settings["text_config"] = typed_settings(text, TEXT, "text_config", "clip_text_model")
        _check_words(settings["text_config"])
    return settings


def _tracker(values: object) -> dict[str, Any]:
    """The settings of `Sam3TrackerVideoConfig`, all of them checked."""
    parts = stated_parts(values, "tracker_config")
    return {**known_settings(values, TRACKER, "tracker_config"), **image_settings(parts)}


def _check_words(text: Mapping[str, Any]) -> None:
    """Check that the tokens with a meaning of their own have numbers in the vocabulary."""
    size = text.get("vocab_size", _PUBLISHED_WORDS)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if (text.get(name) or 0) >= size:
            raise SettingFault(
                f"{name} of text_config is {text[name]}, and there are {size} tokens (vocab_size)"
            )
