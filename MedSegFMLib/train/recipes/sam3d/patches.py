"""Patches of features and classes by number: a number always gives the same patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.sam3d.feature_files import Features
from ....models.sam3d.patches import PatchGrid

# Voxels of each class to choose from, enough to cover all of it.
_MOST_VOXELS = 20_000


@dataclass(frozen=True, eq=False)
class Patches:
    """A batch of patches.

    Attributes:
        features: (B, 256 for each image, d, h, w) float16.
        classes: (B, d, 16h, 16w) int64.
    """

    features: Tensor
    classes: Tensor


class PatchVolume:
    """A volume that patches are cut from.

    Args:
        features: of each image, (windows, K, 256, h, w), of its padded slices.
        windows: the windows.
        classes_kji: (K, J, I) uint8, without padding.
    """

    def __init__(
        self, features: Sequence[Features], windows: PatchGrid, classes_kji: NDArray[np.uint8]
    ) -> None:
        self._features = features
        self._windows = windows
        self._classes = np.pad(classes_kji, windows.padding)
        self._voxels = [
            _some(np.argwhere(self._classes == number))
            for number in np.unique(self._classes)
            if number
        ]

    def patch(
        self, foreground: bool, rng: np.random.Generator
    ) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """Features (256 for each image, d, h, w) and classes (d, 16h, 16w) at a random place.

        Slices are in either order.

        Args:
            foreground: whether the patch contains a voxel of a random class, if there is any.
            rng: the random generator.
        """
        grid, deep, last = self._windows, self._windows.depth, len(self._classes)
        holding = np.arange(len(grid.corners))
        low, high = 0, last - deep
        if foreground and self._voxels:
            voxels = self._voxels[rng.integers(len(self._voxels))]
            k, j, i = (int(v) for v in voxels[rng.integers(len(voxels))])
            within = np.subtract((j, i), grid.corners)
            holding = np.flatnonzero(((within >= 0) & (within < grid.patch)).all(axis=1))
            low, high = max(low, k - deep + 1), min(high, k)
        window = int(rng.choice(holding))
        first = int(rng.integers(low, high + 1))
        order = -1 if rng.random() < 0.5 else 1
        row, column = grid.corners[window]
        parts = [image[window, first : first + deep] for image in self._features]
        features = np.concatenate(parts, axis=1)[::order]
        classes = self._classes[
            first : first + deep, row : row + grid.patch, column : column + grid.patch
        ][::order]
        return features.swapaxes(0, 1), classes.astype(np.int64)


def make_patches(
    volumes: Sequence[PatchVolume], size: int, foreground_share: float, seed: tuple[int, ...]
) -> Patches:
    """A batch of patches from random volumes."""
    rng = np.random.default_rng(seed)
    made = [
        volumes[int(rng.integers(len(volumes)))].patch(bool(rng.random() < foreground_share), rng)
        for _ in range(size)
    ]
    features, classes = zip(*made, strict=True)
    return Patches(torch.from_numpy(np.stack(features)), torch.from_numpy(np.stack(classes)))


def _some(voxels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The voxels, or a regular subset of many."""
    return voxels[:: max(1, len(voxels) // _MOST_VOXELS)]
