"""A look at the whole volume, then at the object in the volume's own voxels.

As in `zoom_in_zoom_out` of its authors' inference_demo.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ...volumes.region import Region, Shape, shape_triple
from .prompts import nearest

# Of neighbouring windows, as a part of their width.
_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class WholeLook:
    """The answer to a look at the whole foreground of a volume.

    Attributes:
        region: The foreground.
        logits: (k, j, i) of the network's window, to which it was resized.
    """

    region: Region
    logits: Logits

    def on(self, region: Region) -> Logits:
        """The logits of a region within the foreground, each voxel's nearest."""
        places = [
            along[start:stop]
            for along, start, stop in zip(
                self._sources(),
                region.relative_to(self.region).start_kji,
                region.relative_to(self.region).stop_kji,
                strict=True,
            )
        ]
        return self.logits[np.ix_(*places)]

    def object_box(self) -> Region | None:
        """The voxels around everything above 0; None if nothing is."""
        inside = self.logits > 0
        if not inside.any():
            return None
        bounds = []
        for axis, sources in enumerate(self._sources()):
            others = tuple(n for n in range(3) if n != axis)
            found = np.flatnonzero(np.asarray(inside.any(axis=others))[sources])
            if not len(found):
                # The region has fewer voxels than the window.
                return None
            bounds.append((int(found[0]), int(found[-1]) + 1))
        start, stop = zip(*bounds, strict=True)
        return Region(shape_triple(start), shape_triple(stop)).shifted(self.region.start_kji)

    def _sources(self) -> list[NDArray[np.int64]]:
        pairs = zip(self.logits.shape, self.region.shape_kji, strict=True)
        return [nearest(size, voxels) for size, voxels in pairs]


def closer_region(found: Region, whole: Region, window: Shape) -> Region:
    """The part to look at again: what was found, widened to a window as far as there are voxels."""
    start, stop = [], []
    for axis, size in enumerate(window):
        first, last = found.start_kji[axis], found.stop_kji[axis] - 1
        more = max(0, size - (last - first + 1)) // 2
        start.append(max(whole.start_kji[axis], first - more))
        stop.append(min(whole.stop_kji[axis], last + more + 1))
    return Region(shape_triple(start), shape_triple(stop))


def windows_of(region: Region, window: Shape) -> list[Region]:
    """Windows that cover a region, as MONAI's sliding window places them.

    If the region is narrower than a window, that extends equally far beyond both sides.
    """
    starts = [
        _starts(first, stop - first, size)
        for first, stop, size in zip(region.start_kji, region.stop_kji, window, strict=True)
    ]
    return [Region.at(start, window) for start in product(*starts)]


def averaged(parts: Sequence[tuple[Region, Logits]], region: Region) -> Logits:
    """The mean of the logits of windows on a region that they cover."""
    total, count = np.zeros(region.shape_kji, np.float32), np.zeros(region.shape_kji, np.float32)
    for window, logits in parts:
        common = window.intersection(region)
        assert common is not None, "every window has a part of the region"
        here = common.relative_to(region).slices
        total[here] += logits[common.relative_to(window).slices]
        count[here] += 1
    mean: Logits = total / count
    return mean


def _starts(first: int, voxels: int, size: int) -> list[int]:
    if voxels <= size:
        return [first - (size - voxels) // 2]
    step = max(1, int(size * (1 - _OVERLAP)))
    starts = [n for n in range(0, voxels - size, step)]
    return [first + n for n in (*starts, voxels - size)]
