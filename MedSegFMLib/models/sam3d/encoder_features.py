"""The features that SAM's image encoder gives of every slice, window by window."""

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

# Changes where the same volume would give other features.
_VERSION = 1
# Slices handed to the encoder at a time.
_SLICES = 64


@dataclass(frozen=True, eq=False)
class Base:
    """A SAM whose image encoder looks at slices and is never trained.

    sha256: of its file. device: what computes it, as arithmetic differs: "cpu" or "cuda".
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

    region_kji: (K, J, I), any type. scores: of the whole volume, from which each slice becomes
    z-scores, three times the same, without SAM's own mean and deviation.
    files: where they are looked for and kept; None keeps them in memory.

    In 16 bits, whether kept or not. Raises DeviceError without memory.
    """
    count = region_kji.shape[0] + sum(windows.padding[0])
    shape = (len(windows.corners), count, CHANNELS, windows.places, windows.places)
    if files is not None:
        key = _key(base, region_kji, scores, windows)
        found = files.get(key, shape)
        if found is None and files.put(
            key, shape, _looked_at(base, region_kji, scores, windows, progress)
        ):
            found = files.get(key, shape)
        if found is not None:
            progress(1.0, "Encoding slices")
            return found
    held = np.empty(shape, np.float16)
    for window, features in enumerate(_looked_at(base, region_kji, scores, windows, progress)):
        held[window] = features
    return held


def _looked_at(
    base: Base, region_kji: NDArray[Any], scores: ZScores, windows: PatchGrid, progress: Progress
) -> Iterator[Features]:
    """The features (K, 256, h, w) of each window in turn."""
    for window, share in enumerate(parts_of(progress, len(windows.corners))):
        slices = windows.cut(region_kji, window, scores)
        found: list[NDArray[np.float32]] = []
        firsts = range(0, len(slices), _SLICES)
        for first, part in zip(firsts, parts_of(share, len(firsts)), strict=True):
            images = np.repeat(slices[first : first + _SLICES, None], 3, axis=1)
            found.extend(base.runtime.encode(images, part))
        yield np.stack(found).astype(np.float16)


def _key(base: Base, region_kji: NDArray[Any], scores: ZScores, windows: PatchGrid) -> str:
    """What the features depend on, in one name."""
    digest = hashlib.sha256(np.ascontiguousarray(region_kji).data)
    kind = (region_kji.dtype.str, region_kji.shape, scores.mean, scores.deviation)
    seen = (windows.padding, windows.patch, windows.corners)
    digest.update(repr((_VERSION, kind, seen, base.sha256, base.device)).encode())
    return digest.hexdigest()
