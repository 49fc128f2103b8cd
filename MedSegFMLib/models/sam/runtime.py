"""What the adapters ask of whatever computes SAM's network: slices in, logits of slices out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits
from .network.config import SamConfig


@dataclass(frozen=True, eq=False)
class SliceEmbedding:
    """What the encoder made of one slice, to be kept: features (256, H/16, W/16) in 16 bits."""

    features: NDArray[np.float16]

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        return self.features.nbytes


@dataclass(frozen=True)
class SlicePrompt:
    """What is asked of one slice, in pixels of the network's input image.

    Pixel centres have whole numbers, from 0 at the upper left, as segment_anything counts them.

    box: (x0, y0, x1, y1), or None.
    points: each (x, y, positive).
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float, bool], ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Whether several objects plan: a single point, which SAM answers with three masks."""
        return self.box is None and len(self.points) == 1


class SamRuntime(Protocol):
    """A loaded network; for one thread at a time."""

    @property
    def config(self) -> SamConfig:
        """Which of SAM's networks it is."""

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """Look at images (n, 3, H, W) as the network takes them, H and W multiples of 16.

        Returns the features (256, H/16, W/16) of each. Raises DeviceError without memory.
        """

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        prompts: Sequence[SlicePrompt],
        size_hw: tuple[int, int],
    ) -> list[Logits]:
        """The logits (H/4, W/4), float32, of each slice under its prompt.

        features: of slices of one size, (256, H/16, W/16), in 16 or 32 bits; size_hw: (H, W).

        Where a prompt is ambiguous the mask that the network thinks the best of its three, as
        segment_anything's multimask_output gives them, else its single mask. Raises DeviceError
        without memory.
        """
