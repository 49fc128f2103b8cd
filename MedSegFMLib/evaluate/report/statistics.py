"""Intervals and paired tests over cases.

A case is a patient: its objects and seeds depend on one another, so whole cases are drawn and
compared, never single objects.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 9999
_SEED = 20250
# Of five pairs the smallest two-sided p of the signed-rank test is 2/2^5 = 0.0625, and an interval
# from so few is far too narrow.
LEAST_CASES = 6
# How many numbers are drawn at a time.
_BATCH_NUMBERS = 2_000_000
DIGITS = 12


def mean_intervals(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(scores, 2) the bootstrap interval of each score's mean over cases, at 95 %.

    Bias-corrected and accelerated: Efron, "Better bootstrap confidence intervals", JASA 82 (1987).
    9,999 resamples of whole cases, the same for all scores and in every run; scipy's function draws
    for each score anew, which takes minutes for some thousand cases. NaN below six cases, and
    where all are equal.

    values: (scores, cases), finite.
    """
    from scipy.special import ndtr, ndtri

    count, cases = values.shape
    intervals = np.full((count, 2), np.nan)
    if cases < LEAST_CASES:
        return intervals
    means = np.round(resampled_means(values), DIGITS)
    mean = np.round(values.mean(axis=1), DIGITS)
    bias = ndtri(((means < mean).mean(axis=0) + (means <= mean).mean(axis=0)) / 2)
    # The jackknife's means differ from their own mean by this, but for a factor that cancels.
    apart = values - values.mean(axis=1, keepdims=True)
    tails = ndtri([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    for n, differs in enumerate(np.ptp(values, axis=1) > 0):
        if not differs:
            # Of what never varies the bootstrap says nothing: 0 of 9 is no proof of 0.
            continue
        acceleration = (apart[n] ** 3).sum() / (6 * (apart[n] ** 2).sum() ** 1.5)
        moved = bias[n] + tails
        levels = ndtr(bias[n] + moved / (1 - acceleration * moved))
        intervals[n] = np.quantile(means[:, n], levels)
    return intervals


@dataclass(frozen=True)
class PairedTest:
    """One model less another on the cases that both did.

    better, equal, worse: in how many cases the first is so. median: of the differences; low, high:
    its interval. p: of the two-sided Wilcoxon signed-rank test; p_holm: corrected for the family.
    Each is NaN where it cannot be told, and `note` says why.
    """

    model: str
    other: str
    cases: int
    better: int
    equal: int
    worse: int
    median: float
    low: float
    high: float
    p: float
    p_holm: float
    note: str


def compare_models(scores: Mapping[str, Mapping[str, float]]) -> list[PairedTest]:
    """Every two models, paired by case; the tests among them are one family for Holm's method.

    scores: one score of each case, by model and case.
    """
    pairs = [
        _compare(model, other, scores[model], scores[other])
        for model, other in itertools.combinations(scores, 2)
    ]
    corrected = holm([pair.p for pair in pairs])
    return [replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True)]


def _compare(
    model: str, other: str, ours: Mapping[str, float], theirs: Mapping[str, float]
) -> PairedTest:
    both = [case for case in ours if case in theirs]
    differences = np.array([ours[case] - theirs[case] for case in both])
    # What differs by rounding alone is a tie.
    differences = np.round(differences, DIGITS)
    median = float(np.median(differences)) if both else math.nan
    low, high = median_interval(differences)
    p, note = _signed_rank(differences)
    better, equal, worse = (int(np.count_nonzero(np.sign(differences) == n)) for n in (1, 0, -1))
    return PairedTest(
        model,
        other,
        len(both),
        better,
        equal,
        worse,
        median,
        low,
        high,
        p,
        p_holm=math.nan,
        note=note,
    )


def _signed_rank(differences: NDArray[np.float64]) -> tuple[float, str]:
    from scipy.stats import wilcoxon

    # As Wilcoxon did: pairs without a difference say nothing and are left out. Before the call, as
    # scipy gives no exact p where it finds any.
    changed = differences[differences != 0]
    if len(differences) < LEAST_CASES:
        return math.nan, f"not tested: {len(differences)} cases, fewer than {LEAST_CASES}"
    if len(changed) < LEAST_CASES:
        return math.nan, (
            f"not tested: the models differ in {len(changed)} cases, fewer than {LEAST_CASES}"
        )
    return float(wilcoxon(changed).pvalue), ""


def median_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Between which of the values their median lies, with a confidence of 95 % or more.

    Exact, from the binomial distribution alone (the interval of the sign test): six values are the
    fewest that have one, from the least to the largest. NaN below.
    """
    from scipy.stats import binom

    if len(values) < LEAST_CASES:
        return math.nan, math.nan
    # How many values are left out on each side: so rarely are fewer above, or below, the median.
    aside = int(binom.ppf((1 - CONFIDENCE) / 2, len(values), 0.5))
    if binom.cdf(aside, len(values), 0.5) > (1 - CONFIDENCE) / 2:
        aside -= 1
    ordered = np.sort(values)
    return float(ordered[aside]), float(ordered[-1 - aside])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) for all the tests made; NaN stays and does not count."""
    corrected = list(p_values)
    made = sorted(
        (n for n, p in enumerate(p_values) if not math.isnan(p)), key=p_values.__getitem__
    )
    least = 0.0
    for done, n in enumerate(made):
        least = max(least, min(1.0, (len(made) - done) * p_values[n]))
        corrected[n] = least
    return corrected


def resampled_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(resamples, scores) the means of (scores, cases) over cases drawn with replacement."""
    rng = np.random.default_rng(_SEED)
    cases = values.shape[1]
    batch = max(1, _BATCH_NUMBERS // cases)
    means = np.empty((RESAMPLES, len(values)))
    for start in range(0, RESAMPLES, batch):
        some = min(batch, RESAMPLES - start)
        drawn = rng.integers(cases, size=(some, cases)) + cases * np.arange(some)[:, None]
        # How often each case was drawn in each resample.
        times = np.bincount(drawn.ravel(), minlength=some * cases).reshape(some, cases)
        means[start : start + some] = times @ values.T / cases
    return means
