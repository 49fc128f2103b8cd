"""Rankings of models, and their stability when cases are resampled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .statistics import CONFIDENCE, DIGITS, LEAST_CASES, resampled_means

# Below this number a ranking and its tests come with a word of caution.
FEW_CASES = 20


@dataclass(frozen=True, eq=False)
class Ranking:
    """The ranking of models, and its stability; equal models share the better place.

    Attributes:
        models: the models in the order of their places.
        cases: the number of cases that all models have.
        by_mean: the place of each model by its mean over cases.
        by_places: the place by the mean of its places in single cases.
        frequencies: (models, places) how often each model took each place in resampled cases.
        low: the lower limit of 95 % of its places.
        high: the upper limit.
        agreement: Kendall's tau-b of by_mean and by_places.
        stability: the mean tau-b of by_mean and the rankings of resampled cases. Both are NaN if
            all models are equal.
    """

    models: tuple[str, ...]
    cases: int
    by_mean: tuple[int, ...]
    by_places: tuple[int, ...]
    frequencies: NDArray[np.float64]
    low: tuple[int, ...]
    high: tuple[int, ...]
    agreement: float
    stability: float

    @property
    def caution(self) -> str:
        """A sentence on what resampling of few cases does not say; empty if there are enough."""
        if self.cases >= FEW_CASES:
            return ""
        return (
            f"These are {self.cases} cases, which say little: a share of 100 % means that one "
            "model led in every draw of the same cases, not that it would lead on others, and the "
            f"smallest p that a test of {self.cases} pairs can give is {2 ** (1 - self.cases):.2g}."
        )


def rank_models(scores: Mapping[str, Mapping[str, float]]) -> Ranking | None:
    """The ranking and its stability under the bootstrap, as in challengeR.

    After Wiesenfarth et al., "Methods and open-source toolkit for analyzing and visualizing
    challenge results", Scientific Reports 11, 2369 (2021).

    Args:
        scores: one score of each case, larger being better, by model and case.

    Returns:
        None for one model, or below six cases.
    """
    names = list(scores)
    common = [case for case in scores[names[0]] if all(case in scores[name] for name in names)]
    if len(names) < 2 or len(common) < LEAST_CASES:
        return None
    table = np.array([[scores[name][case] for case in common] for name in names])
    by_mean = places(table.mean(axis=1))
    by_places = places(-places(table.T).mean(axis=0))
    resampled = places(resampled_means(table))
    order = sorted(range(len(names)), key=lambda n: (by_mean[n], by_places[n], n))
    all_places = np.arange(1, len(names) + 1)
    tail = 50 * (1 - CONFIDENCE)
    # Places are integers, so the limits are places that occurred.
    low, high = np.percentile(resampled, (tail, 100 - tail), axis=0, method="inverted_cdf")
    rankings, times = np.unique(resampled, axis=0, return_counts=True)
    taus = _taus(by_mean, rankings)
    known = ~np.isnan(taus)
    return Ranking(
        tuple(names[n] for n in order),
        len(common),
        tuple(int(by_mean[n]) for n in order),
        tuple(int(by_places[n]) for n in order),
        (resampled[:, order, None] == all_places).mean(axis=0),
        tuple(int(low[n]) for n in order),
        tuple(int(high[n]) for n in order),
        float(_taus(by_mean, by_places[None])[0]),
        float(np.average(taus[known], weights=times[known])) if known.any() else math.nan,
    )


def places(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The place of each model along the last axis, 1 for the largest score.

    Ties share the best place.

    Args:
        scores: (…, models).
    """
    from scipy.stats import rankdata

    ranks = rankdata(-np.round(scores, DIGITS), method="min", axis=-1)
    return np.asarray(ranks, dtype=np.int64)


def _taus(ranking: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
    """Kendall's tau-b of a ranking (models,) and each of others (rankings, models).

    NaN if either has all models in one place.
    """
    first, second = np.triu_indices(len(ranking), 1)
    ours = np.sign(ranking[first] - ranking[second])
    theirs = np.sign(others[:, first] - others[:, second])
    untied = (ours**2).sum() * (theirs**2).sum(axis=1)
    agreeing = (theirs @ ours).astype(float)
    taus: NDArray[np.float64] = np.full(len(others), np.nan)
    np.divide(agreeing, np.sqrt(untied), out=taus, where=untied > 0)
    return taus
