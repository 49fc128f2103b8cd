"""SAM 2's image side from a checkpoint: its authors' `.pt` layout, or transformers'.

Files of Sam2VideoModel, and the authors', contain the memory of videos too, which is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....weights.layout import check_layout
from ..layouts.authors_layout import from_authors
from ..layouts.opened import Opened
from ..network.config import BlockShape, Family, ImageConfig
from .config_file import COARSEST, STRIDES, fitting, image_config, side_of
from .tensor_names import is_memory, is_upstream, sources_of

if TYPE_CHECKING:
    from torch import Tensor

NETWORK = "SAM 2"
_FAMILY: Family = "sam2"
_AUTHORS, _TRANSFORMERS = "image_encoder.trunk.", "vision_encoder.backbone.blocks."


def is_this(names: Iterable[str]) -> bool:
    """Whether tensors of these names are of a SAM 2."""
    return any(name.startswith((_AUTHORS, _TRANSFORMERS)) for name in names)


def opened(held: Mapping[str, Tensor], path: Path, advice: str) -> Opened:
    """The network of tensors that were read from `path`; see `Opened`.

    Raises:
        WeightsError, SettingFault: If the configuration beside the file cannot be used.
    """
    from transformers import Sam2Model

    shapes = {name: tuple(tensor.shape) for name, tensor in held.items()}
    config: Any = image_config(path, shapes, advice)
    published = fitting(shapes)
    described = ImageConfig(
        _FAMILY if published is None else published.name,
        _FAMILY,
        side_of(config),
        COARSEST,
        STRIDES[-1],
        4 * config.vision_config.fpn_hidden_size,
        block_shapes(config.vision_config.backbone_config),
    )

    def convert(expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        own = {name: tensor for name, tensor in held.items() if not is_memory(name)}
        if is_upstream(own):
            return from_authors(own, expected, sources_of, path, NETWORK, advice)
        check_layout({n: shapes[n] for n in own}, expected, path, NETWORK, advice)
        return {name: own[name] for name in expected}

    return Opened(Sam2Model, config, described, convert)


def block_shapes(backbone: Any) -> tuple[BlockShape, ...]:
    """The blocks of an encoder; the first of a stage has the stage's channels, and pools after."""
    blocks: list[BlockShape] = []
    stride = STRIDES[0]
    for stage, count in enumerate(backbone.blocks_per_stage):
        for _ in range(count):
            window = backbone.window_size_per_stage[stage]
            is_global = len(blocks) in backbone.global_attention_blocks
            blocks.append(
                BlockShape(
                    backbone.embed_dim_per_stage[stage],
                    backbone.num_attention_heads_per_stage[stage],
                    stride,
                    0 if is_global else window,
                )
            )
        stride *= 2
    return tuple(blocks)
