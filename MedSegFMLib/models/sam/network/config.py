"""Which vision transformer a SAM has: data, told from the tensors of a checkpoint. Needs no torch.

Kirillov et al., "Segment Anything", 2023; the three published ones are those of
segment_anything/build_sam.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Pixels of a side of a patch, and of the image whose positions the published tables hold.
PATCH = 16
IMAGE_SIDE = 1024
# Channels of an image's features, in every SAM.
CHANNELS = 256
# Tokens of a side of a window, in the blocks that do not see the whole image.
WINDOW = 14


@dataclass(frozen=True)
class SamConfig:
    """One image encoder.

    dim: channels of a token; depth: number of blocks; heads: of their attention.
    global_blocks: those, counted from 0, in which each token sees the whole image.
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
    """The published configuration of a checkpoint, by the shapes of its tensors; None for others.

    Width and depth decide; whether all else fits is for the layout check to say.
    """
    positions = shapes.get("image_encoder.pos_embed", ())
    numbers = {name.removeprefix(_BLOCKS).split(".")[0] for name in shapes if _BLOCKS in name}
    found = (positions[-1] if positions else 0, len(numbers))
    return next((item for item in PUBLISHED.values() if (item.dim, item.depth) == found), None)
