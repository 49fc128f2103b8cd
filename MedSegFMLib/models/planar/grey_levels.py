"""A volume's voxels as the grey levels that SAM and MedSAM take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...volumes.intensities import check_values, looks_like_ct, positive_bounds
from ...volumes.region import Region

_CT_WINDOW = (-160.0, 240.0)

GreyLevels = NDArray[np.uint8]


@dataclass(frozen=True)
class GreyWindow:
    """The values that become 0 and 255; keep_zero: voxels of value 0 become 0 whatever `low` is.

    As MedSAM prepares its training data (pre_CT_MR.py of its repository): level 40 and width 400
    for CT; otherwise the 0.5 and 99.5 percentile of voxels above 0, and zeros stay 0. The ends are
    drawn in to the values that the volume has.
    """

    low: float
    high: float
    keep_zero: bool

    @classmethod
    def from_voxels(cls, array_kji: NDArray[Any]) -> GreyWindow:
        """The window of a whole volume.

        Percentiles are those of a regular sample where it is large. Raises VolumeError for NaN,
        infinity and values beyond 32-bit floats.
        """
        lowest, highest = check_values(array_kji, "The volume")
        is_ct = looks_like_ct(array_kji)
        low, high = _CT_WINDOW if is_ct else positive_bounds(array_kji)
        low, high = max(low, lowest), min(high, highest)
        # A mask has one value above 0: there is nothing to cut off.
        return cls(low if low < high else lowest, high, keep_zero=not is_ct)

    def grey_levels(self, array_kji: NDArray[Any], region: Region) -> GreyLevels:
        """A region of the volume as (K, J, I) uint8, fractions cut off as MedSAM does."""
        levels = np.zeros(region.shape_kji, np.uint8)
        if self.high <= self.low:
            return levels
        # Slice by slice: a large volume in floats would take several times its memory.
        for level, voxels in zip(levels, array_kji[region.slices], strict=True):
            values = voxels.astype(np.float64).clip(self.low, self.high)
            level[...] = (values - self.low) / (self.high - self.low) * 255.0
            if self.keep_zero:
                level[voxels == 0] = 0
        return levels
