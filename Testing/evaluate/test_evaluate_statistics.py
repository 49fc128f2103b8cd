"""Means, intervals, tests and rankings over cases, against known answers."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from evaluate_rows import a_row, cases_of, rows_of, steps_of
from scipy import stats

from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.records import Row
from MedSegFMLib.evaluate.report.case_scores import counted_rows
from MedSegFMLib.evaluate.report.ranking import rank_models
from MedSegFMLib.evaluate.report.statistics import (
    compare_models,
    holm,
    mean_intervals,
    median_interval,
)
from MedSegFMLib.evaluate.report.summary import Summary, summarise
from MedSegFMLib.evaluate.report.tables import tables
from MedSegFMLib.tasks.records import ALL_CASES, Failure

RNG = np.random.default_rng(7)
ZERO, OMIT = Protocol(failures="zero"), Protocol(failures="omit")


def found(rows: list[Row], *failures: Failure, protocol: Protocol = OMIT) -> Summary:
    return summarise(rows, failures, cases_of(rows), protocol)


def by_case(*scores: float) -> dict[str, float]:
    return {f"case {n}": score for n, score in enumerate(scores)}


def test_intervals_are_those_of_scipy() -> None:
    values = RNG.beta(6, 2, (3, 30))
    theirs = stats.bootstrap(
        (values,), np.mean, axis=-1, n_resamples=40_000, method="BCa", batch=500, random_state=1
    ).confidence_interval
    assert mean_intervals(values) == pytest.approx(
        np.stack([theirs.low, theirs.high], -1), abs=0.004
    )


def test_intervals_hold_the_mean_about_as_often_as_they_say() -> None:
    low, high = mean_intervals(RNG.beta(8, 2, (600, 25))).T
    assert 0.90 < np.mean((low < 0.8) & (high > 0.8)) < 0.985


def test_equal_values_have_no_interval_and_spoil_none() -> None:
    intervals = mean_intervals(np.array([[0.7] * 8, RNG.random(8)]))
    assert np.isnan(intervals).tolist() == [[True, True], [False, False]]


def test_five_cases_have_no_interval_and_six_have_one() -> None:
    assert np.isnan(mean_intervals(RNG.random((2, 5)))).all()
    assert np.isfinite(mean_intervals(RNG.random((2, 6)))).all()


def test_intervals_are_the_same_in_every_run() -> None:
    values = RNG.random((2, 12))
    assert np.array_equal(mean_intervals(values), mean_intervals(values))


@pytest.mark.parametrize("count", [6, 9, 20, 43])
def test_the_interval_of_a_median_is_the_narrowest_that_covers_it(count: int) -> None:
    low, high = median_interval(RNG.permutation(count).astype(float))
    assert low + high == count - 1
    assert stats.binom.cdf(low, count, 0.5) <= 0.025 < stats.binom.cdf(low + 1, count, 0.5)


def test_models_are_compared_by_the_signed_rank_test() -> None:
    # Darwin's fifteen pairs of maize plants, in eighths of an inch, as in scipy's documentation.
    heights = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
    (pair,) = compare_models(
        {"crossed": by_case(*(h / 100 for h in heights)), "selfed": by_case(*[0] * 15)}
    )
    assert pair.p == pytest.approx(0.041259765625)
    assert (pair.cases, pair.better, pair.equal, pair.worse) == (15, 13, 0, 2)
    assert pair.median == pytest.approx(0.24) and (pair.low, pair.high) == (0.08, 0.49)


def test_cases_without_a_difference_are_left_out_of_the_test_and_counted() -> None:
    ours = [*RNG.random(12), 0.5, 0.5]
    theirs = [*RNG.random(12), 0.5, 0.5 + 1e-15]
    (pair,) = compare_models({"a": by_case(*ours), "b": by_case(*theirs)})
    assert pair.p == pytest.approx(stats.wilcoxon(np.subtract(ours, theirs)[:12]).pvalue)
    assert pair.equal == 2 and pair.cases == 14


def test_only_cases_that_both_did_are_compared() -> None:
    (pair,) = compare_models({"a": by_case(*RNG.random(9)), "b": by_case(*RNG.random(7))})
    assert pair.cases == 7


@pytest.mark.parametrize(
    ("ours", "theirs", "note"),
    [
        ([0.5] * 5, [0.1, 0.2, 0.3, 0.4, 0.45], "not tested: 5 cases, fewer than 6"),
        ([0.5], [0.1], "not tested: 1 case, fewer than 6"),
        ([0.5] * 8, [0.5] * 8, "not tested: the models differ in 0 cases, fewer than 6"),
        ([0.5] * 8, [0.5] * 3 + [0.4] * 5, "not tested: the models differ in 5 cases"),
    ],
)
def test_no_p_is_given_that_would_mean_nothing(
    ours: list[float], theirs: list[float], note: str
) -> None:
    (pair,) = compare_models({"a": by_case(*ours), "b": by_case(*theirs)})
    assert math.isnan(pair.p) and math.isnan(pair.p_holm) and note in pair.note


def test_holms_correction_gives_the_published_example() -> None:
    # The example of Wikipedia's article on the Holm-Bonferroni method, four hypotheses.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holms_correction_counts_the_tests_that_were_made() -> None:
    corrected = holm([0.01, math.nan, 0.02])
    assert corrected[::2] == pytest.approx([0.02, 0.02]) and math.isnan(corrected[1])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_family_is_all_pairs_of_one_score() -> None:
    scores = {model: by_case(*RNG.random(10)) for model in "abc"}
    pairs = compare_models(scores)
    assert [(pair.model, pair.other) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.p_holm for pair in pairs] == holm([pair.p for pair in pairs])


def test_a_model_that_is_always_better_is_always_first() -> None:
    scores = RNG.random(10)
    ranking = rank_models({"low": by_case(*scores), "high": by_case(*(scores + 0.1))})
    assert ranking is not None and ranking.models == ("high", "low")
    assert ranking.frequencies.tolist() == [[1, 0], [0, 1]]
    assert (ranking.low, ranking.high) == ((1, 2), (1, 2))
    assert ranking.agreement == ranking.stability == 1


def test_ranking_tells_that_it_could_be_otherwise() -> None:
    # Equal but for one case each, which a resample may leave out.
    ours, theirs = [0.9] + [0.5] * 9, [0.5] * 9 + [0.88]
    ranking = rank_models({"a": by_case(*ours), "b": by_case(*theirs)})
    assert ranking is not None and ranking.by_mean == (1, 2)
    assert 0.55 < ranking.frequencies[0, 0] < 0.8
    assert (ranking.low, ranking.high) == ((1, 1), (2, 2))
    assert ranking.stability < 0.5


def test_both_ways_of_ranking_may_disagree() -> None:
    # The first wins most cases by little and loses one by much.
    ours, theirs = [0.51] * 9 + [0.0], [0.5] * 9 + [1.0]
    ranking = rank_models({"a": by_case(*ours), "b": by_case(*theirs)})
    assert ranking is not None and ranking.models == ("b", "a")
    assert ranking.by_places == (2, 1) and ranking.agreement == -1


def test_the_agreement_of_rankings_is_kendalls_tau() -> None:
    scores = {f"{n}": by_case(*RNG.random(8).round(1)) for n in range(6)}
    ranking = rank_models(scores)
    assert ranking is not None
    theirs = stats.kendalltau(ranking.by_mean, ranking.by_places).statistic
    assert ranking.agreement == pytest.approx(theirs) and 0 < ranking.stability < 1


def test_equal_models_share_the_first_place() -> None:
    ranking = rank_models({model: by_case(*[0.5] * 7) for model in "ab"})
    assert ranking is not None and ranking.by_mean == (1, 1) and math.isnan(ranking.stability)
    assert ranking.frequencies.tolist() == [[1, 0], [1, 0]]


def test_one_model_or_few_common_cases_are_not_ranked() -> None:
    assert rank_models({"a": by_case(*RNG.random(9))}) is None
    assert rank_models({"a": by_case(*RNG.random(9)), "b": by_case(*RNG.random(5))}) is None


def test_the_case_is_the_unit_not_the_object_nor_the_seed() -> None:
    scores = RNG.beta(5, 2, 9)
    alone = found(rows_of({"a": list(scores)}))
    rows = [
        row
        for n, score in enumerate(scores)
        for name in ("liver", "spleen", "kidney")
        for seed in (0, 1)
        for row in steps_of("a", f"case {n}", score, object=name, seed=seed)
    ]
    many = found(rows)
    assert many.models["a"].n == 9
    assert many.models["a"].means == pytest.approx(alone.models["a"].means)
    for score, interval in alone.models["a"].intervals.items():
        assert many.models["a"].intervals[score] == pytest.approx(interval)


def test_objects_count_within_their_case_first() -> None:
    rows = [*steps_of("a", "one", 0.9)]
    rows += [row for n in range(3) for row in steps_of("a", "many", 0.3, object=f"nodule {n}")]
    summary = found(rows)
    assert summary.models["a"].means["dsc_final"] == pytest.approx(0.6)
    assert [group.means["dsc_final"] for (group,) in summary.objects.values()] == pytest.approx(
        [0.9, 0.3, 0.3, 0.3]
    )


def test_surface_dice_counts_nothing_where_a_case_is_mostly_missed() -> None:
    rows = steps_of("a", "bad", 0.2, nsd=0.7) + steps_of("a", "good", 0.9, nsd=0.7)
    assert found(rows).models["a"].means["nsd_final"] == pytest.approx(0.35)


def test_an_object_that_stopped_keeps_its_last_scores() -> None:
    rows = [a_row("a", "one", 0.9), *steps_of("a", "two", 0.5)]
    means = found(rows).models["a"].means
    assert means["dsc_final"] == pytest.approx(0.7)
    assert means["dsc_auc"] == pytest.approx((0.9 * 4 + 0.5 * 4 * 0.8) / 2)


@pytest.mark.parametrize(("protocol", "mean", "cases"), [(ZERO, 0.4, 2), (OMIT, 0.8, 1)])
def test_failures_count_as_the_protocol_says(protocol: Protocol, mean: float, cases: int) -> None:
    rows = [*steps_of("a", "one", 0.8), *steps_of("b", "one", 0.8), *steps_of("b", "two", 0.6)]
    group = found(rows, Failure("two", "a", 0, "No."), protocol=protocol).models["a"]
    assert (group.n, group.means["dsc_final"]) == (cases, pytest.approx(mean))


@pytest.mark.parametrize(("protocol", "mean"), [(ZERO, 0.4), (OMIT, 0.8)])
def test_an_object_that_failed_counts_as_the_protocol_says(protocol: Protocol, mean: float) -> None:
    rows = steps_of("a", "one", 0.8)
    rows += steps_of("a", "one", 0.0, object="spleen", failed="no such class", hd95_mm=math.inf)
    summary = found(rows, protocol=protocol)
    assert summary.models["a"].means["dsc_final"] == pytest.approx(mean)
    assert summary.hd95_mm["a"][1] == (protocol is ZERO)


def test_a_model_that_could_not_be_loaded_is_listed_and_the_others_are_compared() -> None:
    rows = rows_of({"a": [0.5, 0.6, 0.7, 0.8, 0.9, 0.4], "b": [0.6, 0.7, 0.8, 0.9, 0.95, 0.5]})
    failure = Failure(ALL_CASES, "c", 0, "No weights.")
    summary = found(rows, failure)
    assert list(summary.models) == ["a", "b", "c"] and summary.models["c"].n == 0
    assert summary.as_json()["c"]["dsc_final"] is None
    assert [pair.other for pair in summary.paired_tests["dsc_final"]] == ["b"]
    # It never ran, so that its failure is no score, under any protocol; had it run once, it is one.
    counting = found(rows, failure, protocol=ZERO)
    assert counting.ran == ["a", "b"] and counting.models["c"].n == 0
    assert list(counting.rankings["dsc_final"].models) == ["b", "a"]
    begun = found([*rows, *rows_of({"c": [0.9]})], failure, protocol=ZERO)
    assert begun.models["c"].means["dsc_final"] == pytest.approx(0.9 / 6)


def test_a_ranking_of_few_cases_comes_with_what_they_do_not_say() -> None:
    numbers = [0.5, 0.6, 0.7, 0.8, 0.9, 0.4]
    few = found(rows_of({"a": numbers, "b": [n + 0.05 for n in numbers]}))
    assert "6 cases, which say little" in few.caution and "0.031" in few.caution
    captions = {table.name: table.caption for table in tables(few)}
    assert few.caution in captions["places"] and few.caution in captions["comparisons"]
    many = found(rows_of({"a": numbers * 4, "b": [n + 0.05 for n in numbers * 4]}))
    assert many.rankings and many.caution == ""


def test_thousands_of_failures_are_counted_in_no_time() -> None:
    here = Path()
    cases = [Case(f"{n}", here, here, here, "CT", ((1, "liver"),)) for n in range(4000)]
    failures = [Failure(case.name, "a", 0, "No.") for case in cases]
    begun = time.process_time()
    assert len(counted_rows([], failures, cases, ZERO)) == 4000 * (ZERO.clicks + 1)
    # Each failure compared with each case takes over a second.
    assert time.process_time() - begun < 0.7


def test_distances_without_end_or_number_do_not_spoil_the_rest() -> None:
    distances = [3.0, math.inf, 5.0, math.nan, math.inf, 4.0, math.inf]
    rows = [row for n, mm in enumerate(distances) for row in steps_of("a", f"{n}", 0.5, hd95_mm=mm)]
    summary = found(rows)
    assert summary.hd95_mm["a"] == (math.inf, 3)
    document = json.loads(json.dumps(summary.as_json(), allow_nan=False))
    assert document["a"]["hd95_mm_median"] is None and document["a"]["hd95_mm_infinite"] == 3
    assert document["a"]["dsc_final"] == 0.5


def test_the_summary_tells_what_each_model_is_against_each_other() -> None:
    rows = rows_of({"a": [0.5, 0.6, 0.7, 0.8, 0.9, 0.4], "b": [0.6, 0.7, 0.8, 0.9, 0.95, 0.5]})
    document = found(rows).as_json()
    against = document["a"]["against"]["b"]["dsc_final"]
    # Six differences of one sign: 2 / 2^6.
    assert (against["p"], against["p_holm"], against["worse"]) == (0.0312, 0.0312, 6)
    assert document["b"]["places"]["dsc_final"]["place"] == 1
    assert document["a"]["n"] == 6 and document["a"]["seconds_per_click"] == 0.5
    assert document["a"]["modalities"]["CT"]["dsc_final"] == document["a"]["dsc_final"]
    low, high = document["a"]["intervals"]["dsc_final"]
    assert low < document["a"]["dsc_final"] < high


def clinical_rows(model: str, case: str, *curve: float, name: str = "liver") -> list[Row]:
    return [a_row(model, case, dsc, step, object=name) for step, dsc in enumerate(curve)]


def test_the_way_to_the_target_counts_what_never_came_there() -> None:
    protocol = Protocol(clicks=3, target_dice=0.8)
    rows = [
        *clinical_rows("a", "one", 0.85),
        *clinical_rows("a", "two", 0.5, 0.7, 0.8),
        *clinical_rows("a", "three", 0.1, 0.2, 0.3, 0.4),
    ]
    target = found(rows, protocol=protocol).targets["a"]
    assert target.reached == pytest.approx(2 / 3) and target.objects == 3
    assert target.within == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    # One took one interaction, one three, one never came there: the median is three.
    assert (target.interactions, target.seconds) == (3, 3.0)


def test_the_median_to_the_target_has_no_end_where_most_never_came_there() -> None:
    protocol = Protocol(clicks=1, target_dice=0.8)
    rows = [*clinical_rows("a", "one", 0.85)]
    rows += [row for n in "bc" for row in clinical_rows("a", n, 0.1, 0.2)]
    target = found(rows, protocol=protocol).targets["a"]
    assert target.interactions == target.seconds == math.inf
    assert found(rows, protocol=protocol).as_json()["a"]["target"]["interactions"] is None


def test_cases_with_many_objects_weigh_no_more_on_the_way_to_the_target() -> None:
    protocol = Protocol(clicks=1, target_dice=0.8)
    rows = [row for n in range(9) for row in clinical_rows("a", "many", 0.9, name=f"{n}")]
    rows += [*clinical_rows("a", "one", 0.1, 0.9), *clinical_rows("a", "two", 0.1, 0.9)]
    target = found(rows, protocol=protocol).targets["a"]
    assert target.interactions == 2 and target.within[0] == pytest.approx(1 / 3)
