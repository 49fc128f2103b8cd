"""SAM3D's preprocessing of a volume: z-scores, cut into overlapping, bell-weighted patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ...volumes.intensities import check_values
from ...volumes.region import Shape
from ..sam.network.config import PATCH

# The deviation of the bell of weights as a fraction of the patch's width.
_BELL = 1 / 8


@dataclass(frozen=True)
class PatchGrid:
    """The positions of the patches of one region.

    Attributes:
        padding: Voxels of value 0 added (before, after) along k, j and i, so that a patch fits.
        patch: The pixels of a patch's side.
        depth: The slices of a patch.
        corners: The first row and column of each window in the padded region.
        slices: The first slice of each patch, the same in every window.
    """

    padding: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    patch: int
    depth: int
    corners: tuple[tuple[int, int], ...]
    slices: tuple[int, ...]

    @classmethod
    def covering(cls, shape_kji: Shape, patch: int, depth: int, overlap: float) -> PatchGrid:
        """Patches over a region of this shape, overlapping by at least `overlap` of their width."""
        sides = (depth, patch, patch)
        lacking = [max(0, side - n) for side, n in zip(sides, shape_kji, strict=True)]
        k, j, i = (
            _starts(n + more, side, overlap)
            for n, more, side in zip(shape_kji, lacking, sides, strict=True)
        )
        before = [(more // 2, more - more // 2) for more in lacking]
        return cls(
            (before[0], before[1], before[2]),
            patch,
            depth,
            tuple((row, column) for row in j for column in i),
            k,
        )

    @property
    def places(self) -> int:
        """The number of rows, and of columns, of a patch's features."""
        return self.patch // PATCH

    def cut(self, region_kji: NDArray[Any], window: int, scores: ZScores) -> Logits:
        """(K, patch, patch) float32: the z-scores of all slices of a window, with its padding."""
        row, column = self.corners[window]
        # Along an axis with padding there is a single window, which contains the whole region.
        part = region_kji[:, row : row + self.patch, column : column + self.patch]
        return np.pad(scores.standardise(part), self.padding)


@dataclass(frozen=True)
class ZScores:
    """The mean and standard deviation that z-scores of a volume are computed with."""

    mean: float
    deviation: float

    @classmethod
    def from_volume(cls, array_kji: NDArray[Any]) -> ZScores:
        """Compute them for a whole volume.

        Raises:
            VolumeError: For NaN, infinity and values beyond 32-bit floats.
        """
        low, high = check_values(array_kji, "The volume")
        # Scaled to 1, as squares could overflow; slice by slice, as copies could fill the memory.
        scale = max(abs(low), abs(high)) or 1.0
        mean = float(np.mean([(one / np.float64(scale)).mean() for one in array_kji]))
        squares = [((one / np.float64(scale) - mean) ** 2).mean() for one in array_kji]
        deviation = float(np.sqrt(np.mean(squares)))
        return cls(mean * scale, (deviation or 1.0) * scale)

    def standardise(self, array_kji: NDArray[Any]) -> Logits:
        """float32 z-scores of a part of the volume."""
        scored: Logits = ((array_kji - np.float64(self.mean)) / self.deviation).astype(np.float32)
        return scored


def bell(sides: Sequence[int]) -> Logits:
    """The weight of each voxel of a patch, float32, 1 in the middle.

    As in nnU-Net and in SAM3D's published inference: an impulse at voxel side // 2, smoothed by
    scipy's Gaussian filter, which ends four deviations away, at the farthest voxel of a patch. The
    smallest weight is exp(-8) along each axis, 3.8e-11 in a corner, and never 0.
    """
    from scipy.ndimage import gaussian_filter1d

    weights = np.ones(())
    for side in sides:
        impulse = (np.arange(side) == side // 2).astype(np.float64)
        row = gaussian_filter1d(impulse, _BELL * side, mode="constant")
        weights = weights[..., None] * (row / row.max())
    return weights.astype(np.float32)


def _starts(size: int, side: int, overlap: float) -> tuple[int, ...]:
    """The starts of windows of `side` along an axis: evenly spaced, first and last at its ends."""
    steps = ceil((size - side) / max(1.0, side * (1 - overlap)))
    return tuple(int(v) for v in np.rint(np.linspace(0, size - side, steps + 1)))
