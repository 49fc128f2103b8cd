"""The size of a SAM-Med3D network, inferred from the tensors of a checkpoint. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Cells along a side of a patch, and of a cell of the mask that the network returns and takes.
PATCH, MASK_CELL = 16, 4


@dataclass(frozen=True)
class NetworkSizes:
    """The size of a network.

    Attributes:
        side: The cells along a side of its image.
        dim: The channels of a token of its encoder.
        depth: The number of the encoder's blocks.
        heads: The attention heads of such a block.
        global_blocks: The blocks, from 0, with global attention.
        channels: The channels of an image's features.
    """

    side: int
    dim: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    channels: int

    @property
    def mask_side(self) -> int:
        """The cells along a side of a mask that the network returns and takes."""
        return self.side // MASK_CELL

    def settings(self) -> dict[str, Any]:
        """The settings of the package's `create_model`."""
        return {
            "image_size": self.side,
            "vit_patch_size": PATCH,
            "encoder_embed_dim": self.dim,
            "encoder_depth": self.depth,
            "encoder_num_heads": self.heads,
            "encoder_global_attn_indexes": list(self.global_blocks),
            "prompt_embed_dim": self.channels,
        }


# That of segment_anything/build_sam3D.py in its repository, which every published file has.
PUBLISHED = {"vit_b_ori": NetworkSizes(128, 768, 12, 12, (2, 5, 8, 11), 384)}

_BLOCKS = "image_encoder.blocks."


def infer_sizes(shapes: Mapping[str, tuple[int, ...]]) -> NetworkSizes | None:
    """The published size that fits the tensor shapes of a checkpoint; None for any other.

    Width and depth decide; the layout check compares everything else.
    """
    positions = shapes.get("image_encoder.pos_embed", ())
    numbers = {name.removeprefix(_BLOCKS).split(".")[0] for name in shapes if _BLOCKS in name}
    width_and_depth = (positions[-1] if positions else 0, len(numbers))
    return next(
        (sizes for sizes in PUBLISHED.values() if (sizes.dim, sizes.depth) == width_and_depth),
        None,
    )
