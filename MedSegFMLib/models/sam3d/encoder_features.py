"""Features of SAM's image encoder for every slice, window by window."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, parts_of
from ..sam.network.config import CHANNELS
from ..sam.runtime import SamRuntime
from .feature_files import FeatureFiles, Features
from .patches import PatchGrid, ZScores

# Incremented when the features of a volume change.
_VERSION = 1
# Slices passed to the encoder at a time.
_SLICES = 64


@dataclass(frozen=True, eq=False)
class Base:
    """A SAM whose image encoder is used as it is and never trained.

    Attributes:
        runtime: The network.
        sha256: The SHA-256 of its file.
        device: "cpu" or "cuda", as their arithmetic differs.
    """

    runtime: SamRuntime
    sha256: str
    device: str


def embeddings(
    base: Base,
    region_kji: NDArray[Any],
    scores: ZScores,
    windows: PatchGrid,
    files: FeatureFiles | None,
    progress: Progress,
) -> Features:
    """The features (windows, K, 256, patch / 16, patch / 16) of a region, padding included.

    They have 16 bits, whether stored on disk or not.

    Args:
        base: SAM's image encoder.
        region_kji: (K, J, I), any type.
        scores: Of the whole volume; each slice becomes z-scores in three equal channels, without
            SAM's own mean and deviation.
        windows: The patches of the region.
        files: The store to read them from and write them to; None keeps them in memory.
        progress: Reports the slices encoded.

    Raises:
        DeviceError: If memory runs out.
    """
    count = region_kji.shape[0] + sum(windows.padding[0])
    shape = (len(windows.corners), count, CHANNELS, windows.places, windows.places)
    if files is not None:
        key = _key(base, region_kji, scores, windows)
        found = files.get(key, shape)
        if found is None and files.put(
            key, shape, _encoded(base, region_kji, scores, windows, progress)
        ):
            found = files.get(key, shape)
        if found is not None:
            progress(1.0, "Encoding slices")
            return found
    in_memory = np.empty(shape, np.float16)
    for window, features in enumerate(_encoded(base, region_kji, scores, windows, progress)):
        in_memory[window] = features
    return in_memory


def _encoded(
    base: Base, region_kji: NDArray[Any], scores: ZScores, windows: PatchGrid, progress: Progress
) -> Iterator[Features]:
    """The features (K, 256, h, w) of each window in turn."""
    for window, share in enumerate(parts_of(progress, len(windows.corners))):
        slices = windows.cut(region_kji, window, scores)
        features: list[NDArray[np.float32]] = []
        firsts = range(0, len(slices), _SLICES)
        for first, part in zip(firsts, parts_of(share, len(firsts)), strict=True):
            images = np.repeat(slices[first : first + _SLICES, None], 3, axis=1)
            features.extend(base.runtime.encode(images, part))
        yield np.stack(features).astype(np.float16)


def _key(base: Base, region_kji: NDArray[Any], scores: ZScores, windows: PatchGrid) -> str:
    """A digest of everything that the features depend on."""
    digest = hashlib.sha256(np.ascontiguousarray(region_kji).data)
    kind = (region_kji.dtype.str, region_kji.shape, scores.mean, scores.deviation)
    layout = (windows.padding, windows.patch, windows.corners)
    digest.update(repr((_VERSION, kind, layout, base.sha256, base.device)).encode())
    return digest.hexdigest()
