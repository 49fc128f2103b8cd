"""The grey levels of a volume's voxels as SAM and MedSAM take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, VolumeError
from ...segmenter import ModelOption
from ...volumes.intensities import check_values, is_ct, positive_bounds
from ...volumes.region import Region
from ...volumes.volume import Volume
from ...volumes.windows import AUTO, USUAL_CT, Window, named_window, parse_window

GreyLevels = NDArray[np.uint8]

WINDOW_OPTION = ModelOption(
    "window",
    "Window",
    "Grey levels of the slices: a name such as lung, or LEVEL,WIDTH",
    (),
    AUTO,
)


def chosen_window(text: str) -> Window | None:
    """The window that the value of `WINDOW_OPTION` means; None for that of MedSAM.

    Raises:
        ModelError: It means none.
    """
    try:
        return parse_window(text)
    except VolumeError as error:
        raise ModelError(f"The option window={text} cannot be used: {error}") from error


@dataclass(frozen=True)
class GreyWindow:
    """The grey-level window of a volume.

    It follows MedSAM's preparation of its training data (pre_CT_MR.py of its repository): level 40
    and width 400 for CT; otherwise the 0.5 and 99.5 percentiles of voxels above 0, and zeros stay
    0. The window is narrowed to the range of the volume's values.

    Attributes:
        low: The value that becomes 0.
        high: The value that becomes 255.
        keep_zero: Whether voxels of value 0 become 0 regardless of `low`.
    """

    low: float
    high: float
    keep_zero: bool

    @classmethod
    def from_volume(cls, volume: Volume, window: Window | None = None) -> GreyWindow:
        """The window of a whole volume.

        The percentiles of a large volume are those of a regular sample.

        Args:
            volume: The volume.
            window: The window that the user chose; None for that of MedSAM.

        Raises:
            VolumeError: For NaN, infinity and values beyond 32-bit floats.
        """
        lowest, highest = check_values(volume.array_kji, "The volume")
        if window is None and is_ct(volume):
            window = named_window(USUAL_CT)
        if window is None:
            low, high = positive_bounds(volume.array_kji)
        else:
            low, high = window.low, window.high
        low, high = max(low, lowest), min(high, highest)
        # A mask has a single value above 0: there is nothing to clip.
        return cls(low if low < high else lowest, high, keep_zero=window is None)

    def grey_levels(self, array_kji: NDArray[Any], region: Region) -> GreyLevels:
        """A region of the volume as (K, J, I) uint8; fractions are truncated as in MedSAM."""
        levels = np.zeros(region.shape_kji, np.uint8)
        if self.high <= self.low:
            return levels
        # Slice by slice: a large volume as floats would need several times its memory.
        for level, voxels in zip(levels, array_kji[region.slices], strict=True):
            values = voxels.astype(np.float64).clip(self.low, self.high)
            level[...] = (values - self.low) / (self.high - self.low) * 255.0
            if self.keep_zero:
                level[voxels == 0] = 0
        return levels
