"""SAM 3's image side from a checkpoint: its authors' sam3.pt, or transformers' layouts.

Files of Sam3VideoModel, and the authors', contain the detector and the memory of videos too. Of the
detector the vision transformer is used; the rest is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import WeightsError
from ....weights.layout import check_layout
from ..layouts.authors_layout import from_authors
from ..layouts.opened import Opened
from ..network.config import BlockShape, Family, ImageConfig
from .config_file import image_config
from .tensor_names import (
    AUTHORS_DETECTOR,
    AUTHORS_TRACKER,
    DETECTOR,
    MODEL,
    NECK,
    image_side,
    is_upstream,
    sources_of,
)

if TYPE_CHECKING:
    from torch import Tensor

NETWORK = "SAM 3"
_FAMILY: Family = "sam3"
_OTHERS = ("vision_encoder.backbone.layers.", "backbone.vision_backbone.trunk.")
_OF_VIDEOS = (AUTHORS_DETECTOR, AUTHORS_TRACKER, DETECTOR, MODEL, NECK)
# The name of one tensor that every tracker has, in the authors' layout and in transformers'.
_TRACKERS = ("sam_mask_decoder.iou_token.weight", "mask_decoder.iou_token.weight")


def is_this(names: Iterable[str]) -> bool:
    """Whether tensors of these names are of a SAM 3."""
    return any(name.startswith((*_OF_VIDEOS, *_OTHERS)) for name in names)


def opened(held: Mapping[str, Tensor], path: Path, advice: str) -> Opened:
    """The network of tensors that were read from `path`; see `Opened`.

    Raises:
        WeightsError: If the checkpoint is of the detector alone, or the configuration beside it is
            of another network.
        SettingFault: If that configuration cannot be used.
    """
    from transformers import Sam3TrackerModel

    if not any(name.endswith(_TRACKERS) for name in held):
        raise WeightsError(
            f"{path} contains SAM 3's detector alone, which decodes no masks from boxes and "
            f"clicks; {advice}."
        )
    config: Any = image_config(path)
    backbone = config.vision_config.backbone_config
    described = ImageConfig(
        _FAMILY,
        _FAMILY,
        backbone.image_size,
        backbone.patch_size,
        backbone.patch_size,
        4 * config.vision_config.fpn_hidden_size,
        block_shapes(backbone),
    )

    def convert(expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        if is_upstream(held):
            wanted = {source.name for name in expected for source in sources_of(name)}
            own = {n: t for n, t in held.items() if n in wanted or not n.startswith(_OF_VIDEOS)}
            return from_authors(own, expected, sources_of, path, NETWORK, advice)
        named = {name: image_side(name) for name in held}
        own = {
            new: held[old]
            for old, new in named.items()
            if new in expected or not old.startswith(_OF_VIDEOS)
        }
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        check_layout(shapes, expected, path, NETWORK, advice)
        return {name: own[name] for name in expected}

    return Opened(Sam3TrackerModel, config, described, convert)


def block_shapes(backbone: Any) -> tuple[BlockShape, ...]:
    """The blocks of an encoder."""
    windows = (
        0 if number in backbone.global_attn_indexes else backbone.window_size
        for number in range(backbone.num_hidden_layers)
    )
    heads = backbone.num_attention_heads
    return tuple(
        BlockShape(backbone.hidden_size, heads, backbone.patch_size, window) for window in windows
    )
