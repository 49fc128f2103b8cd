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
from ..common.setting_rules import SettingFault, known_settings, plain, shown, stated_parts
from ..sam.layouts.transformers_files import ATTENTION, CONFIG, IN_FOLDER
from ..sam.sam2.config_file import PUBLISHED, check_sides, image_settings
from .config_rules import VIDEO

if TYPE_CHECKING:
    from transformers import Sam2VideoConfig

NAME = "medsam2"

_TYPE = "sam2_video"
_SIDE = 512
_REMOVE = "remove it, or get it again"


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
        config._attn_implementation = ATTENTION
        return config


def published(side: int) -> dict[str, Any]:
    """The settings of SAM 2.1 tiny for slices of `side` pixels a side."""
    tiny = PUBLISHED[0].settings(side)
    levels = tiny["vision_config"]["backbone_feature_sizes"]
    return {"image_size": side, "memory_attention_rope_feat_sizes": levels[-1], **tiny}


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    """The settings of `Sam2VideoConfig`, each of them checked."""
    parts = stated_parts(values, "the configuration")
    return {**known_settings(parts, VIDEO, "the configuration"), **image_settings(values)}


def _check_sides(config: Any) -> None:
    """Check that the parts are of the same slices, and that their features fit into memory.

    Raises:
        SettingFault: They are not, or do not.
    """
    check_sides(config, config.image_size)
    levels = config.vision_config.backbone_feature_sizes
    if config.memory_attention_rope_feat_sizes != levels[-1]:
        raise SettingFault(
            f"memory_attention_rope_feat_sizes is {shown(config.memory_attention_rope_feat_sizes)}"
            f", and slices of {config.image_size} pixels need {shown(levels[-1])}"
        )
