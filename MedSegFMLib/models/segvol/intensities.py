"""Intensities of CT as SegVol has them (data_process/demo_data_process.py of its repository)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ...volumes.masks import bounding_box
from ...volumes.region import Region

_PERCENTILES = (0.05, 99.95)


@dataclass(frozen=True)
class Bounds:
    """The intensities that become 0 and 1, between which a volume is limited.

    Its authors limit a volume to percentiles of the voxels above its mean, standardise it and
    bring it to 0 to 1, which undoes the standardisation.
    """

    low: float
    high: float

    @classmethod
    def of(cls, array: NDArray[Any]) -> Bounds:
        """The bounds of a whole volume that is not constant."""
        mean = array.mean(dtype=np.float64)
        brighter = array[array > mean]
        low, high = np.percentile(brighter.astype(np.float64), _PERCENTILES)
        return cls(max(float(low), float(array.min())), float(high))

    def normalised(self, array: NDArray[Any]) -> Logits:
        """float32, 0 to 1."""
        limited = array.astype(np.float64).clip(self.low, self.high)
        scaled = (limited - self.low) / max(self.high - self.low, 1e-8)
        return np.asarray(scaled, np.float32)

    def foreground(self, array: NDArray[Any]) -> Region:
        """The box around all voxels above 0 once normalised, to which a volume is cropped."""
        box = bounding_box(array > self.low)
        return Region.whole(array.shape) if box is None else Region.from_slices(box)
