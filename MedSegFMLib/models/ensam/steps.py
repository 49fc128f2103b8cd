"""Features and answers of windows, which ENSAM keeps between the steps of an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...segmenter import Encoding, Logits, Prediction
from ...volumes.region import Region
from ...volumes.volume import Volume
from .runtime import Features
from .sliding_windows import WindowAnswer


@dataclass(frozen=True, eq=False)
class EnsamEncoding(Encoding):
    """The network's features of a region, and of windows of it if it is large.

    Attributes:
        volume: The whole volume.
        bounds: The intensities that are at 0 and 1.
        features: The features of the region.
        windows: The features of the windows that were looked at, relative to the region.
    """

    volume: Volume
    bounds: tuple[float, float]
    features: Features
    windows: dict[Region, Features] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class EnsamPrediction(Prediction):
    """A prediction with the network's answers in the windows, which the next step may keep."""

    windows: Mapping[Region, WindowAnswer] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """See `Prediction.nbytes`."""
        return super().nbytes + sum(answer.logits.nbytes for answer in self.windows.values())


def logits_before(previous: Prediction, region: Region) -> Logits:
    """The logits of the previous step on a region, 0 outside its own region."""
    logits = np.zeros(region.shape_kji, dtype=np.float32)
    shared = region.intersection(previous.region)
    if shared is not None:
        values = previous.logits_kji[shared.relative_to(previous.region).slices]
        logits[shared.relative_to(region).slices] = values
    return logits
