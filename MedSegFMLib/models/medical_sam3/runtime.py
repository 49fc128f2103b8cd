"""The interface of Medical SAM3's networks on a device: slices in, the object on each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits

RelativeBox = tuple[float, float, float, float]
"""Centre and widths as fractions of the slice: (x, y, across, down), each 0 to 1."""


@dataclass(frozen=True)
class SliceQuestion:
    """The prompt of one slice: a phrase, and a box around the object if one is known."""

    phrase: str
    box: RelativeBox | None = None


@dataclass(frozen=True, eq=False)
class SliceAnswer:
    """The best detection on a slice.

    Attributes:
        score: The confidence that it is the requested object, 0 to 1: its own score times the score
            that any such object is on the slice.
        logits: (h, w) float32 of the whole slice, resized to the network's proportions; None if no
            object reaches the threshold.
    """

    score: float
    logits: Logits | None


class Sam3Runtime(Protocol):
    """A loaded network; for one thread at a time."""

    @property
    def side(self) -> int:
        """The side length in pixels of the network's images."""

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """The features (tokens, channels) of images (n, 3, side, side); or DeviceError."""

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        questions: Sequence[SliceQuestion],
        threshold: float,
        progress: Progress,
    ) -> list[SliceAnswer]:
        """Detect objects on encoded slices.

        Args:
            features: The features of the slices, in 16 or 32 bits.
            questions: A prompt for each slice.
            threshold: Objects with a lower score are dropped.
            progress: Reports the slices done.

        Raises:
            PromptError: For a phrase that is too long.
            DeviceError: If memory runs out.
        """
