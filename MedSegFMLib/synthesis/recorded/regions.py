"""Choice of objects among the regions of a real image that have visible borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .pack_format import PackedVolume
from .warp import Affine

_SMALLEST_SIDE = 6
_LARGEST_PART = 0.75


def random_region(packed: PackedVolume, rng: np.random.Generator) -> int | None:
    """The index of a region of random size, with clear ones more likely; None if there is none."""
    assert packed.range_boxes is not None and packed.salience is not None
    sides = packed.range_boxes[:, 3:] - packed.range_boxes[:, :3]
    extents_mm = (sides * np.array(packed.spacing_kji_mm)).max(axis=1)
    whole_mm = (np.array(packed.shape_kji) * packed.spacing_kji_mm).max()
    smallest_mm = _SMALLEST_SIDE * min(packed.spacing_kji_mm)
    wanted = np.exp(rng.uniform(np.log(smallest_mm), np.log(_LARGEST_PART * whole_mm)))
    # The nearest sizes, in a band wide enough for a choice.
    difference = np.abs(np.log(extents_mm / wanted))
    band = np.flatnonzero(difference <= max(0.25, float(difference.min(initial=np.inf)) + 0.05))
    return _weighted(packed, band, rng)


def region_table(
    packed: PackedVolume, focus: int, count: int, affine: Affine, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The object of each supervoxel, 0 for none: `focus` is 1, with up to count - 1 others in view.

    The others are between a fifth and three times as large, and share no supervoxel.
    """
    assert packed.range_boxes is not None and packed.ranges is not None
    table = np.zeros(np.iinfo(np.int16).max, np.int64)
    start, stop = packed.ranges[:, 0], packed.ranges[:, 1]
    sides = (packed.range_boxes[:, 3:] - packed.range_boxes[:, :3]).max(axis=1)
    middles = (packed.range_boxes[:, 3:] + packed.range_boxes[:, :3] - 1) / 2
    position = np.abs((middles - affine.centre) @ np.linalg.inv(affine.matrix).T).max(axis=1)
    fits = (position < 0.8) & (sides > 0.2 * sides[focus]) & (sides < 3 * sides[focus])
    chosen: int | None = focus
    for number in range(1, count + 1):
        if chosen is None:
            break
        table[start[chosen] : stop[chosen]] = number
        fits &= (stop <= start[chosen]) | (start >= stop[chosen])
        chosen = _weighted(packed, np.flatnonzero(fits), rng)
    return table


def _weighted(
    packed: PackedVolume, among: Sequence[int] | NDArray[np.intp], rng: np.random.Generator
) -> int | None:
    assert packed.salience is not None
    if not len(among):
        return None
    weights = packed.salience[among].astype(np.float64).clip(0, 4) ** 2
    return int(among[int(np.searchsorted(weights.cumsum(), rng.uniform(0, weights.sum())))])
