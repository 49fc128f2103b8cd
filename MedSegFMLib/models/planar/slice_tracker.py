"""The interface of a network that follows an object through the slices of a stack.

Slices are the frames of its video. Models whose network does so are built on it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits

ClickedPlace = tuple[float, float, bool]
"""x and y in pixels of the network's image, and whether the click is on the object."""

PlacedBox = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the network's image: the centres of the corner pixels."""


class SliceTrack(Protocol):
    """One pass through a stack, up or down, with its memory."""

    def hold(self, index: int, features: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        """Memorise the object on a slice: `mask` is (rows, columns) of the whole slice."""

    def prompt(
        self,
        index: int,
        features: NDArray[Any],
        box: PlacedBox | None,
        clicks: Sequence[ClickedPlace],
    ) -> Logits:
        """Segment the object on a slice from a box, clicks or both, and memorise the result.

        Returns:
            As `follow`.
        """

    def follow(self, index: int, features: NDArray[Any]) -> Logits:
        """Segment the object on a slice from the memory.

        The slices must be passed in order, after at least one call of `hold` or `prompt`. The
        result is memorised.

        Returns:
            (h, w) float32 logits, resized to the network's proportions; far below 0 everywhere if
            the object is absent.
        """


class SliceTracker(Protocol):
    """A network that tracks an object from slice to slice; for one thread at a time.

    Features are those of its encoder, in 16 or 32 bits. Methods raise DeviceError if
    memory runs out.
    """

    def clicked(
        self, features: NDArray[Any], clicks: Sequence[ClickedPlace], before: Logits | None
    ) -> Logits:
        """Segment the object on a slice from clicks, at least one.

        Args:
            features: The features of the slice.
            clicks: The clicks.
            before: (rows, columns) logits of the object before those clicks, or None.

        Returns:
            (h, w) float32 logits, resized to the network's proportions.
        """

    def begin(self, slices: int, backward: bool) -> SliceTrack:
        """Start a pass through a stack with that number of slices, downward if `backward`."""


def runs(known: Collection[int], allowed: Collection[int], step: int) -> dict[int, list[int]]:
    """The slices to track from each known one upward (step 1) or downward (-1), in order.

    Each run ends with the allowed slices, or halfway to the next known slice; of two equally near
    ones the one with the lower number reaches a slice.
    """
    result: dict[int, list[int]] = {}
    for start in sorted(known, reverse=step < 0):
        run = []
        index = start + step
        while index in allowed and index not in known:
            run.append(index)
            index += step
        result[start] = run[: (len(run) + (step > 0)) // 2] if index in known else run
    return result
