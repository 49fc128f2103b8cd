"""F1 of the cases whose labels are instances of one class; see `evaluate.instances`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records import Row
from .statistics import mean_intervals


@dataclass(frozen=True)
class InstanceScore:
    """F1 of a model.

    Attributes:
        n: the number of cases with instances.
        mean: the mean over cases.
        interval: its 95 % confidence interval; NaN below six cases, and if all are equal.
    """

    n: int
    mean: float
    interval: tuple[float, float]


def instance_scores(rows: Sequence[Row]) -> dict[str, InstanceScore]:
    """F1 by model, at the end; models without cases with instances are missing.

    Args:
        rows: all steps of every object.
    """
    last: dict[str, dict[str, dict[int, float]]] = {}
    for row in rows:
        if row.f1 is not None:
            last.setdefault(row.model, {}).setdefault(row.case, {})[row.seed] = row.f1
    scores = {}
    for model, by_case in last.items():
        values = np.array([np.mean(list(by_seed.values())) for by_seed in by_case.values()])
        low, high = mean_intervals(values[None])[0]
        scores[model] = InstanceScore(len(values), float(values.mean()), (float(low), float(high)))
    return scores
