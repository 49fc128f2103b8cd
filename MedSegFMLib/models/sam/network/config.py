"""The image encoders of SAM, SAM 2 and SAM 3 as numbers. Needs no torch.

Kirillov et al., "Segment Anything", 2023: the three published vision transformers are those of
segment_anything/build_sam.py, and are inferred from the tensors of a checkpoint. Those of SAM 2 and
SAM 3 are described by `ImageConfig`, from transformers' configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

# Side lengths in pixels of a patch, and of the image that the published position tables are for.
PATCH = 16
IMAGE_SIDE = 1024
# Channels of an image's features in every SAM.
CHANNELS = 256
# Side length in tokens of a window, in the blocks with windowed attention.
WINDOW = 14


Family = Literal["sam", "sam2", "sam3"]


@dataclass(frozen=True)
class BlockShape:
    """A block of an image encoder.

    Attributes:
        dim: The channels of a token.
        heads: The attention heads.
        stride: Pixels between tokens.
        window: The side of a window of attention in tokens; 0 for global attention.
    """

    dim: int
    heads: int
    stride: int
    window: int


class NetworkConfig(Protocol):
    """The description that encoders of all families have in common.

    Attributes:
        name: The published name, or that of the family.
        family: The family.
        side: The side in pixels of the images that it was trained on.
        multiple: The number of pixels of which the sides of an image must be multiples.
        patch: Pixels between features.
        channels: Of the features as they are cached; SAM 2 and SAM 3 have finer features too.
        depth: The number of blocks.
        blocks: The blocks.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def family(self) -> Family: ...  # noqa: D102

    @property
    def side(self) -> int: ...  # noqa: D102

    @property
    def multiple(self) -> int: ...  # noqa: D102

    @property
    def patch(self) -> int: ...  # noqa: D102

    @property
    def channels(self) -> int: ...  # noqa: D102

    @property
    def depth(self) -> int: ...  # noqa: D102

    @property
    def blocks(self) -> tuple[BlockShape, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class ImageConfig:
    """The image encoder of a SAM 2 or SAM 3; see `NetworkConfig`."""

    name: str
    family: Family
    side: int
    multiple: int
    patch: int
    channels: int
    blocks: tuple[BlockShape, ...]

    @property
    def depth(self) -> int:
        """The number of blocks."""
        return len(self.blocks)


@dataclass(frozen=True)
class SamConfig:
    """The image encoder of a SAM; see `NetworkConfig`.

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

    family: ClassVar[Family] = "sam"
    side: ClassVar[int] = IMAGE_SIDE
    multiple: ClassVar[int] = PATCH
    patch: ClassVar[int] = PATCH
    channels: ClassVar[int] = CHANNELS

    @property
    def blocks(self) -> tuple[BlockShape, ...]:
        """The blocks."""
        windows = (0 if n in self.global_blocks else WINDOW for n in range(self.depth))
        return tuple(BlockShape(self.dim, self.heads, PATCH, window) for window in windows)


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
