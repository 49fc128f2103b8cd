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


@dataclass(frozen=True)
class Place:
    """Where a patch lies in a padded volume.

    Attributes:
        window: the number of its window.
        first: its first slice.
    """

    window: int
    first: int


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

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """The shape of the volume, without padding."""
        padding = self._windows.padding
        k, j, i = (n - sum(more) for n, more in zip(self._classes.shape, padding, strict=True))
        return k, j, i

    def patch(
        self, foreground: bool, rng: np.random.Generator
    ) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """Features (256 for each image, d, h, w) and classes (d, 16h, 16w) at a random place.

        Slices are in either order.

        Args:
            foreground: whether the patch contains a voxel of a random class, if there is any.
            rng: the random generator.
        """
        place = self._place(self._labelled_voxel(rng) if foreground else None, rng)
        order = -1 if rng.random() < 0.5 else 1
        return self.features(place)[:, ::order], self._classes_at(place)[::order]

    def voxel(self, foreground: bool, rng: np.random.Generator) -> NDArray[np.int64]:
        """A random voxel (k, j, i) of the volume, of a random class if foreground and any."""
        labelled = self._labelled_voxel(rng) if foreground else None
        if labelled is None:
            return rng.integers(0, self.shape_kji)
        return labelled - self._before()

    def place_of(self, voxel_kji: NDArray[np.int64], rng: np.random.Generator) -> Place:
        """A random place whose patch contains a voxel of the volume."""
        return self._place(voxel_kji + self._before(), rng)

    def features(self, place: Place) -> NDArray[np.float16]:
        """The features (256 for each image, d, h, w) of a patch."""
        slices = slice(place.first, place.first + self._windows.depth)
        parts = [image[place.window, slices] for image in self._features]
        return np.concatenate(parts, axis=1).swapaxes(0, 1)

    def start(self, place: Place) -> NDArray[np.int64]:
        """The first voxel (k, j, i) of a patch in the volume, negative within its padding."""
        corner = self._windows.corners[place.window]
        return np.array((place.first, *corner), np.int64) - self._before()

    def _place(self, padded_kji: NDArray[np.int64] | None, rng: np.random.Generator) -> Place:
        """A random place, whose patch contains a voxel of the padded volume if one is given."""
        grid, deep = self._windows, self._windows.depth
        holding = np.arange(len(grid.corners))
        low, high = 0, len(self._classes) - deep
        if padded_kji is not None:
            k, j, i = (int(v) for v in padded_kji)
            within = np.subtract((j, i), grid.corners)
            holding = np.flatnonzero(((within >= 0) & (within < grid.patch)).all(axis=1))
            low, high = max(low, k - deep + 1), min(high, k)
        window = int(rng.choice(holding))
        return Place(window, int(rng.integers(low, high + 1)))

    def _labelled_voxel(self, rng: np.random.Generator) -> NDArray[np.int64] | None:
        """A voxel of the padded volume of a random class; None if there is no class."""
        if not self._voxels:
            return None
        voxels = self._voxels[rng.integers(len(self._voxels))]
        chosen: NDArray[np.int64] = voxels[rng.integers(len(voxels))]
        return chosen

    def _classes_at(self, place: Place) -> NDArray[np.int64]:
        grid = self._windows
        row, column = grid.corners[place.window]
        slices = slice(place.first, place.first + grid.depth)
        part = self._classes[slices, row : row + grid.patch, column : column + grid.patch]
        return part.astype(np.int64)

    def _before(self) -> NDArray[np.int64]:
        return np.array([before for before, _ in self._windows.padding], np.int64)


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
