"""A cache of the network's features of slices, with a limit in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, parts_of
from ...system import feature_store
from ...system.memory_cache import LruByteCache
from ...volumes.volume import Volume
from ...volumes.windows import Window
from ..planar.grey_levels import GreyLevels, GreyWindow
from .encoding import SliceKey
from .preprocessing import ResizePlan, SlicePreprocessor
from .runtime import SliceEmbedding

# Pixels of all images that are passed to the network at a time, eight of 1024 by 1024: a GPU
# processes many at once.
_PIXELS_AT_ONCE = 8 * 1024 * 1024

# The name of the array in a file of the store.
_FEATURES = "features"

Wanted = tuple[int, SliceKey]
"""The volume's number, and the slice's key in it."""


class SliceEncoder(Protocol):
    """The encoder of a runtime, for any kind of features."""

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """The features of each of the images (n, 3, H, W)."""


class SliceFeatures:
    """Features of the slices of one volume; those of another volume replace them.

    Beneath the cache in memory is the store on disk, if there is one (`system.feature_store`) and
    the network has an `identity`.

    Args:
        runtime: The encoder.
        preprocessor: The preprocessing of slices.
        cache_bytes: The memory limit.
        window: The values that are shown to the network; None for those of MedSAM's training.
        dtype: The numbers of the cached features.
    """

    def __init__(
        self,
        runtime: SliceEncoder,
        preprocessor: SlicePreprocessor,
        cache_bytes: int,
        window: Window | None = None,
        dtype: type[np.floating[Any]] = np.float16,
    ) -> None:
        self._dtype = dtype
        self._runtime = runtime
        self._preprocessor = preprocessor
        self._cache_bytes = cache_bytes
        self._window = window
        self._numbers = count()
        self._volumes: WeakKeyDictionary[Volume, tuple[int, GreyWindow]] = WeakKeyDictionary()
        self._latest = -1
        self._cache = self._empty()

    def grey_window(self, volume: Volume) -> tuple[int, GreyWindow]:
        """The volume's number and window; features of any other volume are discarded.

        Raises:
            VolumeError: For values that cannot become grey levels.
        """
        number_and_window = self._volumes.get(volume)
        if number_and_window is None:
            number_and_window = next(self._numbers), GreyWindow.from_volume(volume, self._window)
            self._volumes[volume] = number_and_window
        if number_and_window[0] != self._latest:
            self._latest, self._cache = number_and_window[0], self._empty()
        return number_and_window

    def missing(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """The keys whose features are not in the cache."""
        return [key for key in wanted if self._cache.get(key) is None]

    def room_for(self, nbytes: int) -> int:
        """The number of slices of `nbytes` bytes each whose features fit into the cache."""
        return max(1, self._cache_bytes // nbytes)

    def get(
        self,
        wanted: Sequence[Wanted],
        slice_images: GreyLevels,
        plan: ResizePlan,
        progress: Progress,
    ) -> list[NDArray[Any]]:
        """The features of slices of one size; missing ones are computed.

        Args:
            wanted: The keys of the slices.
            slice_images: (n, rows, columns), one for each key.
            plan: The resize plan of the slices.
            progress: Reports the slices encoded.
        """
        items = [self._cache.get(key) for key in wanted]
        missing = [n for n, item in enumerate(items) if item is None]
        most = max(1, _PIXELS_AT_ONCE // (plan.input[0] * plan.input[1]))
        batches = [missing[n : n + most] for n in range(0, len(missing), most)]
        for batch, share in zip(batches, parts_of(progress, max(1, len(batches))), strict=False):
            share(0.0, "Encoding slices")
            images = self._preprocessor.images(slice_images[batch], plan)
            for n, features in zip(batch, self._encoded(images, share), strict=True):
                item = SliceEmbedding(features)
                self._cache.put(wanted[n], item)
                items[n] = item
        return [item.features for item in items if item is not None]

    def _encoded(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[Any]]:
        """The features of images, from the store on disk or computed."""
        store, identity = feature_store.active(), getattr(self._runtime, "identity", "")
        if store is None or not identity:
            return [np.asarray(f, self._dtype) for f in self._runtime.encode(images, progress)]
        keys = [feature_store.key_of(identity, image) for image in images]
        found = {key: (store.get(key) or {}).get(_FEATURES) for key in keys}
        missing = [n for n, key in enumerate(keys) if found[key] is None]
        if missing:
            computed = self._runtime.encode(images[missing], progress)
            features = (np.asarray(item, self._dtype) for item in computed)
            new = dict(zip((keys[n] for n in missing), features, strict=True))
            store.put({key: {_FEATURES: array} for key, array in new.items()})
            found |= new
        return [np.asarray(found[key], self._dtype) for key in keys]

    def _empty(self) -> LruByteCache[Wanted, SliceEmbedding]:
        return LruByteCache(self._cache_bytes, lambda item: item.nbytes)
