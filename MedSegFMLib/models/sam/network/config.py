"""The vision transformer of a SAM, inferred from the tensors of a checkpoint. Needs no torch.

Kirillov et al., "Segment Anything", 2023; the three published ones are those of
segment_anything/build_sam.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Side lengths in pixels of a patch, and of the image that the published position tables are for.
PATCH = 16
IMAGE_SIDE = 1024
# Channels of an image's features in every SAM.
CHANNELS = 256
# Side length in tokens of a window, in the blocks with windowed attention.
WINDOW = 14


@dataclass(frozen=True)
class SamConfig:
    """The configuration of an image encoder.

    Attributes:
        name: Its published name.
        dim: The channels of a token.
        depth: The number of blocks.
        heads: The attention heads of a block.
        global_blocks: The blocks, from 0, with global attention.
    """

    name: str
    dim: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]


PUBLISHED = {
    "vit_b": SamConfig("vit_b", 768, 12, 12, (2, 5, 8, 11)),
    "vit_l": SamConfig("vit_l", 1024, 24, 16, (5, 11, 17, 23)),
    "vit_h": SamConfig("vit_h", 1280, 32, 16, (7, 15, 23, 31)),
}

_BLOCKS = "image_encoder.blocks."


def infer_config(shapes: Mapping[str, tuple[int, ...]]) -> SamConfig | None:
    """The published configuration that fits the tensor shapes of a checkpoint; None for any other.

    Width and depth decide; the layout check compares everything else.
    """
    positions = shapes.get("image_encoder.pos_embed", ())
    numbers = {name.removeprefix(_BLOCKS).split(".")[0] for name in shapes if _BLOCKS in name}
    width_and_depth = (positions[-1] if positions else 0, len(numbers))
    return next(
        (item for item in PUBLISHED.values() if (item.dim, item.depth) == width_and_depth), None
    )
