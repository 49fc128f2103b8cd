"""The network's features of slices, kept while they fit into a number of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, parts_of
from ...system.memory_cache import LruByteCache
from ...volumes.volume import Volume
from ..planar.grey_levels import GreyLevels, GreyWindow
from .encoding import SliceKey
from .preprocessing import ResizePlan, SlicePreprocessor
from .runtime import SliceEmbedding

# Images of so many pixels together are handed to the network at a time, eight of 1024 by 1024: a
# GPU takes many in one go.
_PIXELS_AT_ONCE = 8 * 1024 * 1024

Wanted = tuple[int, SliceKey]
"""The volume's number, and the slice's name in it."""


class SliceEncoder(Protocol):
    """The part of a runtime that looks at slices, whatever its features are."""

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """The features of each of the images (n, 3, H, W)."""


class SliceFeatures:
    """Features of the slices of one volume, in 16 bits; those of another volume replace them."""

    def __init__(
        self, runtime: SliceEncoder, preprocessor: SlicePreprocessor, cache_bytes: int
    ) -> None:
        self._runtime = runtime
        self._preprocessor = preprocessor
        self._cache_bytes = cache_bytes
        self._numbers = count()
        self._volumes: WeakKeyDictionary[Volume, tuple[int, GreyWindow]] = WeakKeyDictionary()
        self._latest = -1
        self._cache = self._empty()

    def grey_window(self, volume: Volume) -> tuple[int, GreyWindow]:
        """The volume's number and window; features of any other volume are let go.

        Raises VolumeError for values that cannot be shown.
        """
        known = self._volumes.get(volume)
        if known is None:
            known = next(self._numbers), GreyWindow.from_voxels(volume.array_kji)
            self._volumes[volume] = known
        if known[0] != self._latest:
            self._latest, self._cache = known[0], self._empty()
        return known

    def missing(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Those whose features are not here."""
        return [key for key in wanted if self._cache.get(key) is None]

    def room_for(self, plan: ResizePlan) -> int:
        """How many slices' features of that size the memory holds."""
        per_slice = 2 * 256 * (plan.input[0] // 16) * (plan.input[1] // 16)
        return max(1, self._cache_bytes // per_slice)

    def get(
        self,
        wanted: Sequence[Wanted],
        slice_images: GreyLevels,
        plan: ResizePlan,
        progress: Progress,
    ) -> list[NDArray[np.float16]]:
        """The features of slices of one size, those that are not here computed.

        slice_images: (n, rows, columns), as many as are wanted.
        """
        found = [self._cache.get(key) for key in wanted]
        lacking = [n for n, item in enumerate(found) if item is None]
        most = max(1, _PIXELS_AT_ONCE // (plan.input[0] * plan.input[1]))
        batches = [lacking[n : n + most] for n in range(0, len(lacking), most)]
        for batch, share in zip(batches, parts_of(progress, max(1, len(batches))), strict=False):
            share(0.0, "Encoding slices")
            images = self._preprocessor.images(slice_images[batch], plan)
            for n, features in zip(batch, self._runtime.encode(images, share), strict=True):
                item = SliceEmbedding(np.asarray(features, np.float16))
                self._cache.put(wanted[n], item)
                found[n] = item
        return [item.features for item in found if item is not None]

    def _empty(self) -> LruByteCache[Wanted, SliceEmbedding]:
        return LruByteCache(self._cache_bytes, lambda item: item.nbytes)
