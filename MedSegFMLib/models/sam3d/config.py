"""The configuration of a SAM3D decoder, inferred from a checkpoint. Needs no torch.

Bui et al., "SAM3D: Segment Anything Model in volumetric medical images", ISBI 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..sam.network.config import CHANNELS

# Output channels of the blocks, from coarse to fine.
WIDTHS = (128, 64, 32, 16)
# The blocks' published names in their order of execution.
BLOCKS = ("decoder5", "decoder4", "decoder3", "decoder2")


@dataclass(frozen=True)
class Sam3dConfig:
    """The configuration of a decoder.

    Attributes:
        classes: The number of classes, background included.
        modalities: The number of images of one volume, whose features are concatenated.
        shortcuts: Whether the blocks add their input to their output, as published. Those without
            are for comparison.
    """

    classes: int
    modalities: int = 1
    shortcuts: bool = True

    @property
    def channels(self) -> int:
        """The channels of the input features."""
        return CHANNELS * self.modalities


def infer_config(shapes: Mapping[str, tuple[int, ...]]) -> Sam3dConfig | None:
    """The configuration that fits the tensor shapes of a checkpoint; None for other networks.

    The first and last convolutions and the first shortcut decide; the layout check compares
    everything else.
    """
    first = shapes.get(f"{BLOCKS[0]}.conv1.0.weight", ())
    last = shapes.get("out1.segmentation_head.weight", ())
    if len(first) != 5 or len(last) != 5 or first[1] < CHANNELS or first[1] % CHANNELS:
        return None
    shortcuts = f"{BLOCKS[0]}.downsample.0.weight" in shapes
    return Sam3dConfig(last[0], first[1] // CHANNELS, shortcuts)
