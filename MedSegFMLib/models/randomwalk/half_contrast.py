"""Objects that stand out clearly: they end halfway between their intensity and the background's.

Each cell at the edge of an object contains a part of both, so half the contrast is where the object
fills half of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...volumes.pooling import Floats
from .clicks import Mark
from .settings import Settings

# A normal distribution's standard deviation in median absolute deviations.
_SPREADS = 1.4826


@dataclass(frozen=True, eq=False)
class Finding:
    """An answer that the intensities give, and how clearly they do.

    Attributes:
        weight: above 0, at most 1.
        logits: float32, of every cell.
    """

    weight: float
    logits: Floats


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, linear between them."""
    return float(np.clip((value - low) / (high - low), 0, 1))


def centre_and_spread(values: Floats) -> tuple[float, float]:
    """The median, and the standard deviation as estimated from the median absolute deviation.

    As `scipy.stats.median_abs_deviation` with scale="normal", whose import takes longer than the
    answer to a click.
    """
    centre = float(np.median(values))
    return centre, _SPREADS * float(np.median(np.abs(values - np.float32(centre))))


def beyond_half(values: Floats, background: float, level: float) -> Floats:
    """-1 at the intensity of the background, 0 at half the contrast, 1 at that of the object."""
    half = (level - background) / 2
    return np.asarray((values - background) / half - 1, dtype=np.float32)


def clear_object(
    fine: Floats, logits: Floats, marks: Sequence[Mark], settings: Settings
) -> Finding | None:
    """An object whose marks stand out from everything that is not predicted.

    Args:
        fine: the intensities of cells, slightly smoothed.
        logits: the prediction.
        marks: its marks; those on the object show its intensity.
        settings: the settings of the method.
    """
    around = fine[logits < 0]
    near = [float(np.median(_patch(fine, mark.cell))) for mark in marks if mark.positive]
    if not near or len(around) < settings.clear_least_cells:
        return None
    background, spread = centre_and_spread(around)
    marked = float(np.median(near))
    # A made image may have no noise.
    contrast = abs(marked - background) / (spread + 1e-4)
    weight = ramp(contrast, settings.clear_from, settings.clear_to)
    if weight == 0:
        return None
    # The mark may be at the brightest place of an object that is not as bright everywhere.
    core = fine[(logits > 0) & (beyond_half(fine, background, marked) > 0)]
    if not len(core):
        return None
    found = settings.clear_slope * beyond_half(fine, background, float(np.median(core)))
    most = settings.network_most_logit
    return Finding(weight, np.clip(found, -most, most))


def _patch(cells: Floats, cell: Sequence[int]) -> NDArray[np.float32]:
    """The cells around one, three along each axis."""
    return cells[tuple(slice(max(0, at - 1), at + 2) for at in cell)]
