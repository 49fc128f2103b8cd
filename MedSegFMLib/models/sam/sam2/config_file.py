"""SAM 2's image side as transformers' configuration: published, or from a checked `config.json`.

The published networks are those of sam2.1_hiera_{t,s,b+,l}.yaml of facebookresearch/sam2; SAM 2.0
and MedSAM2 have the same image side. transformers itself would take names of code and of kernels
from such a file; here only settings with a rule reach it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from .config_rules import BACKBONE, PARTS, SIDE, VISION

if TYPE_CHECKING:
    from transformers import Sam2Config

    from ....weights.layout import Shapes

TYPES = ("sam2", "sam2_video")
VISION_TYPE, BACKBONE_TYPE = "sam2_vision_model", "sam2_hiera_det_model"
# Pixels between features of the three levels that are used, and of the coarsest one.
STRIDES = (4, 8, 16)
COARSEST = 32
PUBLISHED_SIDE = 1024
_POSITIONS = ".pos_embed"


@dataclass(frozen=True)
class Hiera:
    """A published image encoder.

    Attributes:
        name: Its published name.
        width: The channels of the first stage, which double with each further one.
        blocks: The blocks of each stage.
        heads: The attention heads of the first stage, which double too.
        windows: The side of a window of each stage in tokens.
        global_blocks: The blocks, from 0, with global attention.
        background: The side of the position table, which is interpolated.
    """

    name: str
    width: int
    blocks: tuple[int, ...]
    heads: int
    global_blocks: tuple[int, ...]
    windows: tuple[int, ...] = (8, 4, 14, 7)
    background: int = 7

    def settings(self, side: int) -> dict[str, Any]:
        """The settings of `Sam2Config` for slices of `side` pixels a side."""
        widths = [self.width << stage for stage in range(len(self.blocks))]
        levels = [[side // stride] * 2 for stride in STRIDES]
        return {
            "vision_config": {
                "model_type": VISION_TYPE,
                "backbone_channel_list": widths[::-1],
                "backbone_feature_sizes": levels,
                "backbone_config": {
                    "model_type": BACKBONE_TYPE,
                    "image_size": [side, side],
                    "hidden_size": self.width,
                    "num_attention_heads": self.heads,
                    "blocks_per_stage": list(self.blocks),
                    "embed_dim_per_stage": widths,
                    "num_attention_heads_per_stage": [
                        self.heads << stage for stage in range(len(self.blocks))
                    ],
                    "window_size_per_stage": list(self.windows),
                    "global_attention_blocks": list(self.global_blocks),
                    "window_positional_embedding_background_size": [self.background] * 2,
                },
            },
            "prompt_encoder_config": {"image_size": side},
        }


PUBLISHED = (
    Hiera("sam2_hiera_tiny", 96, (1, 2, 7, 2), 1, (5, 7, 9)),
    Hiera("sam2_hiera_small", 96, (1, 2, 11, 2), 1, (7, 10, 13)),
    Hiera("sam2_hiera_base_plus", 112, (2, 3, 16, 3), 2, (12, 16, 20), background=14),
    Hiera("sam2_hiera_large", 144, (2, 6, 36, 4), 2, (23, 33, 43), windows=(8, 4, 16, 8)),
)


def image_config(path: Path, shapes: Shapes, advice: str) -> Sam2Config:
    """The configuration in `config.json` beside a file, else the published one that fits.

    Beside a `.pt` file, which its authors publish without one, that of another network is ignored:
    the folder of installed weights is shared.

    Args:
        path: The file of the weights.
        shapes: The shapes of its tensors by name, in either layout.
        advice: The way out that error messages give.

    Raises:
        WeightsError: If the `config.json` is of another network, or no published one fits.
        SettingFault: If a setting breaks its rule.
    """
    from transformers import Sam2Config

    file = path.with_name(CONFIG)
    values = read_json(file) if file.is_file() else {}
    kind = values.get("model_type", None if values else TYPES[0])
    if kind not in TYPES and path.name == IN_FOLDER:
        raise WeightsError(
            f"{file} is of the network {plain(kind)}, not of {TYPES[0]}; put the weights into a "
            "folder of their own."
        )
    if values and kind in TYPES:
        settings = image_settings(values)
    else:
        published = fitting(shapes)
        if published is None:
            names = ", ".join(hiera.name for hiera in PUBLISHED)
            raise WeightsError(f"{path} contains none of SAM 2's networks ({names}); {advice}.")
        settings = published.settings(PUBLISHED_SIDE)
    config = Sam2Config(**settings)
    check_sides(config, side_of(config))
    config._attn_implementation = ATTENTION
    return config


def fitting(shapes: Shapes) -> Hiera | None:
    """The published encoder that fits the tensor shapes of a checkpoint; None for any other."""
    width = next((shape[1] for name, shape in shapes.items() if name.endswith(_POSITIONS)), 0)
    blocks = {name.split(".blocks.")[1].split(".")[0] for name in shapes if ".blocks." in name}
    found = (width, len(blocks))
    return next((h for h in PUBLISHED if (h.width, sum(h.blocks)) == found), None)


def image_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the image side that a configuration states, each of them checked.

    Raises:
        SettingFault: One breaks its rule.
    """
    parts = stated_parts(values, "the configuration")
    vision = stated_parts(parts.get("vision_config", {}), "vision_config")
    settings = {"vision_config": typed_settings(vision, VISION, "vision_config", VISION_TYPE)}
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


def check_sides(config: Any, side: int) -> None:
    """Check that the parts are of slices of `side` pixels, and that their features fit into memory.

    Raises:
        SettingFault: They are not, or do not.
    """
    if not SIDE.allows(side) or side % COARSEST:
        raise SettingFault(f"image_size is {side}, and it must be a multiple of {COARSEST}")
    prompts, vision = config.prompt_encoder_config, config.vision_config
    sides = {
        "image_size of prompt_encoder_config": (prompts.image_size, side),
        "patch_size of prompt_encoder_config": (prompts.patch_size, STRIDES[-1]),
        "backbone_feature_sizes of vision_config": (
            vision.backbone_feature_sizes,
            [[side // stride] * 2 for stride in STRIDES],
        ),
    }
    for name, (value, needed) in sides.items():
        if value != needed:
            raise SettingFault(
                f"{name} is {shown(value)}, and slices of {side} pixels need {shown(needed)}"
            )
    check_window((side, side), 1, vision.fpn_hidden_size, "a slice (image_size)")


def side_of(config: Any) -> int:
    """The side of a network's slices in pixels."""
    side = config.vision_config.backbone_config.image_size
    return int(side if isinstance(side, int) else side[0])
