"""The interface of a SAM network on a device: slices in, logits of slices out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits
from .network.config import NetworkConfig


@dataclass(frozen=True, eq=False)
class SliceEmbedding:
    """The encoder's output for one slice as it is cached: features (channels, H/patch, W/patch)."""

    features: NDArray[Any]

    @property
    def nbytes(self) -> int:
        """The memory of the features in bytes."""
        return self.features.nbytes


@dataclass(frozen=True)
class SlicePrompt:
    """The prompt of one slice, in pixels of the network's input image.

    Pixel centres are whole numbers from 0 at the upper left, as in segment_anything.

    Attributes:
        box: (x0, y0, x1, y1), or None.
        points: Each (x, y, positive).
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float, bool], ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Whether several objects are plausible: one point alone, for which SAM has three masks."""
        return self.box is None and len(self.points) == 1


class SamRuntime(Protocol):
    """A loaded network; for one thread at a time."""

    @property
    def config(self) -> NetworkConfig:
        """The description of the network."""

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """Encode images (n, 3, H, W), preprocessed for the network.

        H and W are multiples of `config.multiple`.

        Returns:
            The features (channels, H/patch, W/patch) of each image; see `NetworkConfig`.

        Raises:
            DeviceError: If memory runs out.
        """

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        prompts: Sequence[SlicePrompt],
        size_hw: tuple[int, int],
    ) -> list[Logits]:
        """The logits (4 H/patch, 4 W/patch), float32, of each slice for its prompt.

        For an ambiguous prompt it is the mask with the highest predicted quality of the three
        (segment_anything's multimask_output), else the single mask.

        Args:
            features: Those of slices of one size, in 16 or 32 bits.
            prompts: One for each slice.
            size_hw: (H, W).

        Raises:
            DeviceError: If memory runs out.
        """
