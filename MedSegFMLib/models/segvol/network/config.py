"""The size of a SegVol network, inferred from the tensors of a checkpoint. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ....volumes.region import Shape, shape_triple


@dataclass(frozen=True)
class SegVolConfig:
    """The size of a network.

    Attributes:
        window: The voxels (k, j, i) of its image.
        patch: The voxels (k, j, i) of a token.
        dim: The channels of a token, and of a prompt.
        depth: The number of blocks of the image's encoder.
        heads: The attention heads of such a block.
        text_dim: The channels of CLIP's text encoder.
        text_depth: The number of its layers.
        text_heads: The attention heads of such a layer.
    """

    window: Shape
    patch: Shape
    dim: int
    depth: int
    heads: int
    text_dim: int
    text_depth: int
    text_heads: int

    @property
    def grid(self) -> Shape:
        """The tokens along each axis of the image."""
        return shape_triple(n // p for n, p in zip(self.window, self.patch, strict=True))

    @property
    def tokens(self) -> int:
        """The number of tokens of an image."""
        return prod(self.grid)


# That of its authors' inference_demo.py, with the text encoder of CLIP's ViT-B/32.
PUBLISHED = {"vit_b": SegVolConfig((32, 256, 256), (4, 16, 16), 768, 12, 12, 512, 12, 8)}

_BLOCKS = "image_encoder.blocks."
_POSITIONS = "image_encoder.patch_embedding.position_embeddings"


def infer_config(shapes: Mapping[str, tuple[int, ...]]) -> SegVolConfig | None:
    """The published size that fits the tensor shapes of a checkpoint; None for any other.

    Width and depth decide; the layout check compares everything else.
    """
    positions = shapes.get(_POSITIONS, ())
    numbers = {name.removeprefix(_BLOCKS).split(".")[0] for name in shapes if _BLOCKS in name}
    width_and_depth = (positions[-1] if positions else 0, len(numbers))
    return next(
        (each for each in PUBLISHED.values() if (each.dim, each.depth) == width_and_depth), None
    )
