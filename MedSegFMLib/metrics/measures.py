"""Measures as tables show them: name, unit and number format, each defined once.

Scores and volumes have three decimals, lengths and areas one, times and intensities two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

NONE = "–"


@dataclass(frozen=True)
class Measure:
    """A measure by its name.

    Attributes:
        name: as within a sentence: "surface Dice".
        unit: the unit of the numbers that are shown; "" for scores from 0 to 1.
        digits: decimals that are shown.
        per_unit: what one `unit` is in the unit of the stored values: 1e6 for bytes shown in MB.
    """

    name: str
    unit: str = ""
    digits: int = 3
    per_unit: float = 1.0

    @property
    def heading(self) -> str:
        """Name and unit: "peak memory (MB)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def title(self) -> str:
        """The name with a capital."""
        return self.name[:1].upper() + self.name[1:]

    def named(self, name: str, digits: int | None = None) -> Measure:
        """The same measure under another name: of one prompt, or between certain models."""
        return replace(self, name=name, digits=self.digits if digits is None else digits)

    def rounded(self, value: float | None) -> float | None:
        """A stored value in `unit`, rounded to `digits`; None stays None."""
        return None if value is None else round(float(value) / self.per_unit, self.digits)

    def text(self, value: float) -> str:
        """A stored value in `unit` as text; see `number`."""
        return number(value / self.per_unit, self.digits)


def number(value: float, digits: int) -> str:
    """A number with fixed decimals: a dash for NaN, ∞ for infinity."""
    if math.isnan(value):
        return NONE
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"


DICE = Measure("Dice")
SURFACE_DICE = Measure("surface Dice")
F1 = Measure("F1")
HD95 = Measure("HD95", "mm", 1)
AGREEMENT = Measure("agreement")
CONSISTENCY = Measure("consistency")
VOLUME = Measure("volume", "ml", 3)
SURFACE = Measure("surface", "mm²", 1)
DIAMETER = Measure("diameter", "mm", 1)
VALUE = Measure("value", "", 2)
SECONDS = Measure("time", "s", 2)
PEAK_MEMORY = Measure("peak memory", "MB", 0, 1e6)
