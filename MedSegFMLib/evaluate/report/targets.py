"""The interactions and seconds until objects reach the target Dice."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..protocol import Protocol
from ..records import Row
from ..results.target import reached_target
from .statistics import mean_intervals


@dataclass(frozen=True, eq=False)
class TargetScore:
    """One model and the protocol's target Dice.

    Attributes:
        objects: the number of objects, over all cases and seeds.
        reached: the share of objects that reached the target, a mean over cases.
        low: the lower limit of its interval; NaN below six cases.
        high: the upper limit, likewise.
        interactions: the median over objects; infinite if half of them or more never reached it.
        seconds: likewise.
        within: (clicks + 1,) the share that reached it within that number of interactions, counting
            the first prompt.
    """

    objects: int
    reached: float
    low: float
    high: float
    interactions: float
    seconds: float
    within: NDArray[np.float64]


def target_score(rows: Sequence[Row], protocol: Protocol) -> TargetScore:
    """How one model reaches the target; each case has the same weight.

    An object that never reached the target is not censored as by Kaplan and Meier, whose estimate
    assumes that it would have reached it with more clicks. As all objects have the same clicks to
    spend, the shares are then plain means.
    """
    objects: dict[tuple[str, int, str], list[Row]] = defaultdict(list)
    for row in rows:
        objects[row.case, row.seed, row.object].append(row)
    ways = [reached_target(own, protocol) for own in objects.values()]
    cases = [case for case, _, _ in objects]
    interactions = np.array([way.interactions if way.reached else math.inf for way in ways])
    seconds = np.array([way.seconds if way.reached else math.inf for way in ways])
    _, case_of = np.unique(cases, return_inverse=True)
    weights = 1 / np.bincount(case_of)[case_of]
    limits = np.arange(1, protocol.clicks + 2)
    met = interactions[:, None] <= limits
    by_case = np.array([np.bincount(case_of, weights * column) for column in met.T], dtype=float)
    low, high = mean_intervals(by_case[-1:])[0]
    return TargetScore(
        len(ways),
        float(by_case[-1].mean()),
        float(low),
        float(high),
        _weighted_median(interactions, weights),
        _weighted_median(seconds, weights),
        by_case.mean(axis=1),
    )


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The least value at or below which half of the weight lies."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    # Weights that are summed in another order may give a slightly larger half.
    return float(values[order][np.searchsorted(below, 0.5 * below[-1] * (1 - 1e-12))])
