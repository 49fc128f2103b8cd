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
    cells: Floats, blurred: Floats, logits: Floats, marks: Sequence[Mark], settings: Settings
) -> Finding | None:
    """An object whose marks stand out from nearly everything that is not predicted.

    Args:
        cells: the intensities of cells, at which the object ends.
        blurred: the same, slightly blurred, in which it stands out from noise.
        logits: the prediction.
        marks: its marks; those on the object show its intensity.
        settings: the settings of the method.
    """
    around = logits <= 0
    marked = [float(np.median(_patch(blurred, mark.cell))) for mark in marks if mark.positive]
    if not marked or around.sum() < settings.clear_least_cells:
        return None
    background, spread = centre_and_spread(blurred[around])
    level = float(np.median(marked))
    # A made image may have no noise.
    contrast = abs(level - background) / (spread + 1e-4)
    weight = ramp(contrast, settings.clear_from, settings.clear_to)
    if weight == 0:
        return None
    # The mark may be at the brightest place of an object that is not as bright everywhere.
    beyond = beyond_half(cells, background, level) > 0
    core = cells[beyond & ~around]
    # An organ differs from the air around the patient, but not from other organs.
    if (beyond & around).sum() >= settings.clear_most_alike * len(core):
        return None
    found = settings.clear_slope * beyond_half(cells, background, float(np.median(core)))
    most = settings.network_most_logit
    return Finding(weight, np.clip(found, -most, most))


def _patch(cells: Floats, cell: Sequence[int]) -> NDArray[np.float32]:
    """The cells around one, three along each axis."""
    return cells[tuple(slice(max(0, at - 1), at + 2) for at in cell)]
