"""The scores of classes on an image, computed as they are named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...system.memory_cache import LruByteCache

Scores = NDArray[np.float32]
# Computes the logits (classes, i, j, k) of classes by their numbers.
Scorer = Callable[[Sequence[int], Progress], Scores]


class ClassScores:
    """The scores of the classes that were named, and of further ones.

    A pass through the image takes about as long for many classes as for one. So each pass computes
    twice as many as the one before, the next in order: a single class costs one of them, and all
    classes, one after another, seven passes instead of 117.

    Args:
        score: Computes scores.
        order: All numbers, in the order in which they are likely to be named.
        most: The most classes of one pass.
        budget_bytes: The memory for scores.
    """

    def __init__(self, score: Scorer, order: Sequence[int], most: int, budget_bytes: int) -> None:
        self._score = score
        self._order = list(order)
        self._most = most
        self._passes = 0
        self._known: LruByteCache[int, Scores] = LruByteCache(
            budget_bytes, lambda scores: scores.nbytes
        )

    def of(self, number: int, progress: Progress) -> Scores:
        """The logits (i, j, k) of a class."""
        known = self._known.get(number)
        if known is not None:
            progress(1.0, "Predicting the classes")
            return known
        first = self._order.index(number)
        later = [n for n in self._order[first + 1 :] if self._known.get(n) is None]
        count = min(2**self._passes, self._most)
        numbers = [number, *later[: count - 1]]
        scores = self._score(numbers, progress)
        self._passes += 1
        # The named one last, so that it is not the one that makes room.
        for n, values in reversed(list(zip(numbers, scores, strict=True))):
            self._known.put(n, np.ascontiguousarray(values))
        found = self._known.get(number)
        assert found is not None, "the latest item is kept"
        return found
