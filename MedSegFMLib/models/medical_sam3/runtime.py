"""What the adapter of Medical SAM3 asks of networks: slices in, the object on each slice out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits

RelativeBox = tuple[float, float, float, float]
"""Centre and widths as parts of the slice: (x, y, across, down), each 0 to 1."""

ClickedPlace = tuple[float, float, bool]
"""x and y in pixels of the network's image, and whether the object is there."""


@dataclass(frozen=True)
class SliceQuestion:
    """What is asked of one slice: words, and a box around the object where one is known."""

    phrase: str
    box: RelativeBox | None = None


@dataclass(frozen=True, eq=False)
class SliceAnswer:
    """The best of the objects that were found on a slice.

    score: how surely it is what was asked for, 0 to 1: its own score times that of anything such
        being on the slice.
    logits: (h, w) float32 of the whole slice, squashed; None where no object scores enough.
    """

    score: float
    logits: Logits | None


class Sam3Runtime(Protocol):
    """A loaded network; for one thread at a time."""

    @property
    def side(self) -> int:
        """Pixels of a side of the images that it takes."""

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """The features (tokens, channels) of images (n, 3, side, side); or DeviceError."""

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        questions: Sequence[SliceQuestion],
        threshold: float,
        progress: Progress,
    ) -> list[SliceAnswer]:
        """Answers on slices whose features are given, in 16 or 32 bits.

        threshold: objects that score less do not count. Raises PromptError for words that are too
        long, DeviceError without memory.
        """


class SliceTrack(Protocol):
    """One way through a stack, up or down, and what is remembered on it."""

    def hold(self, index: int, features: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        """Remember that the object is so on a slice: `mask` is (rows, columns) of all of it."""

    def follow(self, index: int, features: NDArray[Any]) -> Logits:
        """(h, w) float32: the object on a slice, squashed, after all that is remembered.

        Slices are to be followed in turn, after one at least is held. The answer is remembered. Far
        below 0 everywhere where the object is not.
        """


class SliceTracker(Protocol):
    """What follows an object from slice to slice; for one thread at a time.

    Features are those of `Sam3Runtime.encode`, in 16 or 32 bits. Raises DeviceError without memory.
    """

    def clicked(
        self, features: NDArray[Any], clicks: Sequence[ClickedPlace], before: Logits | None
    ) -> Logits:
        """(h, w) float32: the object on a slice, squashed, after clicks, one at least.

        before: (rows, columns) logits of it before those, or None.
        """

    def begin(self, slices: int, backward: bool) -> SliceTrack:
        """A way through a stack of so many slices, downward where it goes backward."""
