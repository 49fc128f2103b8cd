"""Objects chosen among the regions of a real image that have visible borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .pack_format import Recording
from .warp import Placement

_SMALLEST_SIDE = 6
_LARGEST_PART = 0.75


def random_region(recording: Recording, rng: np.random.Generator) -> int | None:
    """The number of a region of a random size, clear ones more often; None where there is none."""
    assert recording.range_boxes is not None and recording.salience is not None
    sides = recording.range_boxes[:, 3:] - recording.range_boxes[:, :3]
    extents_mm = (sides * np.array(recording.spacing_kji_mm)).max(axis=1)
    whole_mm = (np.array(recording.shape_kji) * recording.spacing_kji_mm).max()
    smallest_mm = _SMALLEST_SIDE * min(recording.spacing_kji_mm)
    wanted = np.exp(rng.uniform(np.log(smallest_mm), np.log(_LARGEST_PART * whole_mm)))
    # The nearest sizes, a band wide enough that there is a choice.
    apart = np.abs(np.log(extents_mm / wanted))
    band = np.flatnonzero(apart <= max(0.25, float(apart.min(initial=np.inf)) + 0.05))
    return _weighted(recording, band, rng)


def region_table(
    recording: Recording, focus: int, count: int, placement: Placement, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The object of each supervoxel, 0 for none: `focus` is 1, up to count - 1 others in view.

    The others are between a fifth and three times as large and share no supervoxel.
    """
    assert recording.range_boxes is not None and recording.ranges is not None
    table = np.zeros(np.iinfo(np.int16).max, np.int64)
    start, stop = recording.ranges[:, 0], recording.ranges[:, 1]
    sides = (recording.range_boxes[:, 3:] - recording.range_boxes[:, :3]).max(axis=1)
    middles = (recording.range_boxes[:, 3:] + recording.range_boxes[:, :3] - 1) / 2
    seen = np.abs((middles - placement.centre) @ np.linalg.inv(placement.matrix).T).max(axis=1)
    fits = (seen < 0.8) & (sides > 0.2 * sides[focus]) & (sides < 3 * sides[focus])
    chosen: int | None = focus
    for number in range(1, count + 1):
        if chosen is None:
            break
        table[start[chosen] : stop[chosen]] = number
        fits &= (stop <= start[chosen]) | (start >= stop[chosen])
        chosen = _weighted(recording, np.flatnonzero(fits), rng)
    return table


def _weighted(
    recording: Recording, among: Sequence[int] | NDArray[np.intp], rng: np.random.Generator
) -> int | None:
    assert recording.salience is not None
    if not len(among):
        return None
    weights = recording.salience[among].astype(np.float64).clip(0, 4) ** 2
    return int(among[int(np.searchsorted(weights.cumsum(), rng.uniform(0, weights.sum())))])
