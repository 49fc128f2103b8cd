"""Confidence intervals and paired tests over cases.

A case is a patient: its objects and seeds are not independent, so whole cases are resampled and
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
# Numbers that are drawn at a time.
_BATCH_NUMBERS = 2_000_000
DIGITS = 12


def mean_intervals(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 95 % bootstrap interval of each score's mean over cases.

    Bias-corrected and accelerated: Efron, "Better bootstrap confidence intervals", JASA 82 (1987).
    9,999 resamples of whole cases, the same for all scores and in every run; scipy's function
    resamples for each score separately, which takes minutes for some thousand cases.

    Args:
        values: (scores, cases), finite.

    Returns:
        (scores, 2); NaN below six cases, and if all values are equal.
    """
    from scipy.special import ndtr, ndtri

    count, cases = values.shape
    intervals = np.full((count, 2), np.nan)
    if cases < LEAST_CASES:
        return intervals
    means = np.round(resampled_means(values), DIGITS)
    mean = np.round(values.mean(axis=1), DIGITS)
    bias = ndtri(((means < mean).mean(axis=0) + (means <= mean).mean(axis=0)) / 2)
    # The deviations of the jackknife's means from their mean, except for a factor that cancels.
    apart = values - values.mean(axis=1, keepdims=True)
    tails = ndtri([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    for n, differs in enumerate(np.ptp(values, axis=1) > 0):
        if not differs:
            # The bootstrap cannot give an interval for equal values: 0 in 9 cases does not prove 0.
            continue
        acceleration = (apart[n] ** 3).sum() / (6 * (apart[n] ** 2).sum() ** 1.5)
        moved = bias[n] + tails
        levels = ndtr(bias[n] + moved / (1 - acceleration * moved))
        intervals[n] = np.quantile(means[:, n], levels)
    return intervals


@dataclass(frozen=True)
class PairedTest:
    """The difference of one model and another on the cases that both have.

    Attributes:
        model: the first model.
        other: the second model.
        cases: the number of cases.
        better: in how many the first is better.
        equal: in how many both are equal.
        worse: in how many the first is worse.
        median: the median difference.
        low: the lower limit of its interval.
        high: the upper limit.
        p: of the two-sided Wilcoxon signed-rank test.
        p_holm: the same, corrected for the family. Each number is NaN if it cannot be computed.
        note: why there is no test.
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
    """Compare every two models, paired by case; the tests are one family for Holm's method.

    Args:
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
    # Differences by rounding are ties.
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

    # As in Wilcoxon's paper, pairs without a difference are left out. This is done before the call,
    # because scipy computes no exact p if it finds any.
    changed = differences[differences != 0]
    if len(differences) < LEAST_CASES:
        return math.nan, f"not tested: {_cases(len(differences))}, fewer than {LEAST_CASES}"
    if len(changed) < LEAST_CASES:
        return math.nan, (
            f"not tested: the models differ in {_cases(len(changed))}, fewer than {LEAST_CASES}"
        )
    return float(wilcoxon(changed).pvalue), ""


def _cases(count: int) -> str:
    return f"{count} case{'' if count == 1 else 's'}"


def median_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The values between which the median lies, with a confidence of 95 % or more.

    Exact, from the binomial distribution alone (the interval of the sign test). It needs at least
    six values, of which it is the range; NaN below.
    """
    from scipy.stats import binom

    if len(values) < LEAST_CASES:
        return math.nan, math.nan
    # The values left out on each side, so that the confidence is at least that required.
    aside = int(binom.ppf((1 - CONFIDENCE) / 2, len(values), 0.5))
    if binom.cdf(aside, len(values), 0.5) > (1 - CONFIDENCE) / 2:
        aside -= 1
    ordered = np.sort(values)
    return float(ordered[aside]), float(ordered[-1 - aside])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) for all tests; NaN is kept and does not count."""
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
    """The means of (scores, cases) over cases drawn with replacement: (resamples, scores)."""
    rng = np.random.default_rng(_SEED)
    cases = values.shape[1]
    batch = max(1, _BATCH_NUMBERS // cases)
    means = np.empty((RESAMPLES, len(values)))
    for start in range(0, RESAMPLES, batch):
        some = min(batch, RESAMPLES - start)
        chosen = rng.integers(cases, size=(some, cases)) + cases * np.arange(some)[:, None]
        # The number of times that each case was drawn in each resample.
        times = np.bincount(chosen.ravel(), minlength=some * cases).reshape(some, cases)
        means[start : start + some] = times @ values.T / cases
    return means
