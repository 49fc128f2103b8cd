"""Which decoder a SAM3D has: data, told from the tensors of a checkpoint. Needs no torch.

Bui et al., "SAM3D: Segment Anything Model in volumetric medical images", ISBI 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..sam.network.config import CHANNELS

# Channels that go into each block and come out of the last, from coarse to fine.
WIDTHS = (128, 64, 32, 16)
# The blocks' published names, in the order in which they run.
BLOCKS = ("decoder5", "decoder4", "decoder3", "decoder2")


@dataclass(frozen=True)
class Sam3dConfig:
    """One decoder.

    classes: that it tells apart, background included. modalities: images of one volume, whose
    features it takes side by side.
    """

    classes: int
    modalities: int = 1

    @property
    def channels(self) -> int:
        """Of the features that go in."""
        return CHANNELS * self.modalities


def infer_config(shapes: Mapping[str, tuple[int, ...]]) -> Sam3dConfig | None:
    """The configuration of a checkpoint, by the shapes of its tensors; None for other networks.

    First and last convolution decide; whether all else fits is for the layout check to say.
    """
    first = shapes.get(f"{BLOCKS[0]}.conv1.0.weight", ())
    last = shapes.get("out1.segmentation_head.weight", ())
    if len(first) != 5 or len(last) != 5 or first[1] < CHANNELS or first[1] % CHANNELS:
        return None
    return Sam3dConfig(classes=last[0], modalities=first[1] // CHANNELS)
