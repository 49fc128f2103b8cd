"""Seconds and memory of a model, as quartiles over objects and clicks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records import PlacedKind, Row


@dataclass(frozen=True)
class Quartiles:
    """The quartiles of a measured quantity; NaN if there are no values."""

    first: float
    median: float
    third: float
    most: float

    @classmethod
    def from_numbers(cls, numbers: Sequence[float]) -> Quartiles:
        """The quartiles of numbers."""
        if not numbers:
            return cls(*[math.nan] * 4)
        return cls(*(float(q) for q in np.percentile(numbers, (25, 50, 75, 100))))


@dataclass(frozen=True)
class Cost:
    """The cost of a model.

    Attributes:
        first_seconds: seconds of a first prompt.
        click_seconds: seconds of a click.
        peak_bytes: peak memory of an object.
    """

    first_seconds: Quartiles
    click_seconds: Quartiles
    peak_bytes: Quartiles


def cost_of(rows: Sequence[Row]) -> Cost:
    """The cost of a model by its rows, which include failures."""
    placed = [row for row in rows if row.prompt != PlacedKind.NONE and not row.failed]
    last_of_object: dict[tuple[str, int, str], int] = {}
    for row in placed:
        key = row.case, row.seed, row.object
        last_of_object[key] = max(row.peak_bytes, last_of_object.get(key, 0))
    return Cost(
        Quartiles.from_numbers([row.seconds for row in placed if row.step == 0]),
        Quartiles.from_numbers([row.seconds for row in placed if row.step > 0]),
        Quartiles.from_numbers([float(peak) for peak in last_of_object.values()]),
    )
