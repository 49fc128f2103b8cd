"""The tables of a summary, built once for HTML, LaTeX and Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...metrics.measures import DICE, F1, HD95, NONE, PEAK_MEMORY, SECONDS, Measure, number
from ..phrasings import AS_NAMED
from .case_scores import SCORES
from .costs import Quartiles
from .statistics import LEAST_CASES, RESAMPLES, PairedTest
from .summary import Group, Summary
from .table import Cell, Table, probability, signed

_OF_GROUPS = ("dsc_box", "dsc_final", "nsd_final")
_HD95 = HD95.named(f"{HD95.name} at the end")
_FIRST, _CLICK = SECONDS.named("first prompt"), SECONDS.named("click")
_LARGEST_PEAK = PEAK_MEMORY.named("largest peak")


def tables(summary: Summary) -> list[Table]:
    """All tables that have rows, that of the models first."""
    built = [
        _models(summary),
        _instances(summary),
        _phrases(summary),
        _groups("modality", "modalities", summary.modalities),
        _groups("object", "objects", summary.objects),
        _paired_tests(summary.paired_tests, summary.caution),
        _places(summary),
        _costs(summary),
        _targets(summary),
    ]
    return [table for table in built if table.rows]


def _models(summary: Summary) -> Table:
    rows = []
    for model, group in summary.models.items():
        median, missed = summary.hd95_mm.get(model, (math.nan, 0))
        beside = f"{missed} infinite" if missed else ""
        rows.append(
            (
                Cell(model),
                Cell(str(group.n)),
                *_scores(group, tuple(SCORES)),
                Cell(_HD95.text(median), beside),
            )
        )
    return Table(
        "models",
        "Means over cases; in brackets 95 % confidence intervals (BCa bootstrap of whole cases, "
        f"{RESAMPLES:,} resamples; none below {LEAST_CASES} cases or where all are equal). "
        "The Hausdorff distance is the median over cases. Bold: the best, if all models have "
        "the same number of cases.",
        ("model", "cases", *(score.heading for score in SCORES.values()), _HD95.heading),
        _marked(rows, range(2, 2 + len(SCORES))),
    )


def _instances(summary: Summary) -> Table:
    rows = []
    for model, score in summary.instances.items():
        low, high = score.interval
        interval = "" if math.isnan(low) else f"{F1.text(low)}, {F1.text(high)}"
        rows.append((Cell(model), Cell(str(score.n)), Cell(F1.text(score.mean), interval)))
    return Table(
        "instances",
        "F1 of the instances of a class, matched by an intersection over union of 0.5: the mean "
        "over the cases that have them, with its 95 % confidence interval. The other scores of "
        "these cases are those of all instances together.",
        ("model", "cases", F1.heading),
        _marked(rows, range(2, 3)),
    )


def _phrases(summary: Summary) -> Table:
    rows = []
    for model, kinds in summary.phrases.items():
        for kind, score in kinds.items():
            low, high = score.interval
            interval = "" if math.isnan(low) else f"{signed(low)}, {signed(high)}"
            is_named = kind == AS_NAMED
            rows.append(
                (
                    Cell(model),
                    Cell(kind),
                    Cell(str(score.cases)),
                    Cell(str(score.phrases)),
                    Cell(DICE.text(score.dsc)),
                    Cell(NONE) if is_named else Cell(signed(score.change), interval),
                    Cell(NONE) if is_named else Cell(signed(score.lowest)),
                )
            )
    return Table(
        "phrases",
        "The same objects in other words: Dice, and its difference to the objects as the cases "
        "name them, means over cases with the 95 % confidence interval; the change of the phrase "
        "that loses most.",
        ("model", "words", "cases", "phrases", DICE.heading, "change", "lowest change"),
        tuple(rows),
        text_columns=2,
    )


def _groups(kind: str, kinds: str, groups: Mapping[str, Sequence[Group]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, models in groups.items():
        table_rows = [
            (Cell(name), Cell(group.model), Cell(str(group.n)), *_scores(group, _OF_GROUPS))
            for group in models
        ]
        rows += _marked(table_rows, range(3, 3 + len(_OF_GROUPS)))
    return Table(
        kinds,
        f"By {kind}: means over the cases that have it, with 95 % confidence intervals; none below "
        f"{LEAST_CASES} cases or where all are equal.",
        (kind, "model", "cases", *(SCORES[score].heading for score in _OF_GROUPS)),
        tuple(rows),
        text_columns=2,
    )


def _scores(group: Group, scores: Sequence[str]) -> list[Cell]:
    cells = []
    for score in scores:
        measure, (low, high) = SCORES[score], group.intervals[score]
        interval = "" if math.isnan(low) else f"{measure.text(low)}, {measure.text(high)}"
        cells.append(Cell(measure.text(group.means[score]), interval))
    return cells


def _marked(rows: Sequence[tuple[Cell, ...]], columns: range) -> tuple[tuple[Cell, ...], ...]:
    """Mark the largest number of each column as the best.

    Several are marked if they are shown as equal. Nothing is marked for one model, or if any model
    has too few cases or other ones.
    """
    cases = columns.start - 1
    counts = [int(row[cases].text) for row in rows if row[cases].text != "0"]
    if len(counts) < 2 or min(counts) < LEAST_CASES or len(set(counts)) > 1:
        return tuple(rows)
    best = {}
    for column in columns:
        shown = [row[column].text for row in rows if row[column].text != NONE]
        best[column] = max(shown, key=float, default="")
    return tuple(
        tuple(
            replace(cell, best=True) if cell.text == best.get(column) else cell
            for column, cell in enumerate(row)
        )
        for row in rows
    )


def _after(sentence: str) -> str:
    """A sentence that follows another."""
    return f" {sentence}" if sentence else ""


def _paired_tests(paired_tests: Mapping[str, Sequence[PairedTest]], caution: str) -> Table:
    rows = []
    for score, pairs in paired_tests.items():
        for pair in pairs:
            interval = "" if math.isnan(pair.low) else f"{signed(pair.low)}, {signed(pair.high)}"
            rows.append(
                (
                    Cell(SCORES[score].heading),
                    Cell(f"{pair.model} − {pair.other}"),
                    Cell(str(pair.cases)),
                    Cell(f"{pair.better} / {pair.equal} / {pair.worse}"),
                    Cell(signed(pair.median), interval),
                    Cell(probability(pair.p), pair.note),
                    Cell(probability(pair.p_holm)),
                )
            )
    return Table(
        "comparisons",
        "Every two models on the cases that both have: the median difference with its 95 % "
        "confidence interval (that of the sign test), and the two-sided Wilcoxon signed-rank test "
        "without the cases that do not differ (scipy's zero_method wilcox). Holm's "
        "correction is over all pairs of models of one score; scores are not corrected for one "
        f"another.{_after(caution)}",
        (
            "score",
            "models",
            "cases",
            "better / equal / worse",
            "median difference",
            "p",
            "p (Holm)",
        ),
        tuple(rows),
        text_columns=2,
    )


def _places(summary: Summary) -> Table:
    rows = []
    for score, ranking in summary.rankings.items():
        for n, model in enumerate(ranking.models):
            rows.append(
                (
                    Cell(SCORES[score].heading),
                    Cell(model),
                    Cell(str(ranking.by_mean[n]), f"{ranking.low[n]}–{ranking.high[n]}"),
                    Cell(str(ranking.by_places[n])),
                    Cell(f"{100 * ranking.frequencies[n, 0]:.1f} %"),
                    Cell(number(ranking.agreement, 2) if n == 0 else ""),
                    Cell(number(ranking.stability, 2) if n == 0 else ""),
                )
            )
    return Table(
        "places",
        "Places by the mean over cases, with the range of 95 % of the rankings of resampled cases; "
        "places by the mean of the places in single cases; how often a model came first; Kendall's "
        "tau between both ways of ranking, and on average between the ranking and those of "
        f"resampled cases.{_after(summary.caution)}",
        ("score", "model", "place", "by mean of places", "first", "agreement", "stability"),
        tuple(rows),
        text_columns=2,
    )


def _costs(summary: Summary) -> Table:
    rows = []
    for model, cost in summary.costs.items():
        rows.append(
            (
                Cell(model),
                _quartiles(cost.first_seconds, _FIRST),
                _quartiles(cost.click_seconds, _CLICK),
                _quartiles(cost.peak_bytes, PEAK_MEMORY),
                Cell(_LARGEST_PEAK.text(cost.peak_bytes.most)),
            )
        )
    return Table(
        "costs",
        "Time and memory: medians with quartiles over objects and clicks. Memory is the peak of "
        "the whole process since the object began, including other models that it had loaded.",
        ("model", *(m.heading for m in (_FIRST, _CLICK, PEAK_MEMORY, _LARGEST_PEAK))),
        tuple(rows),
    )


def _quartiles(quartiles: Quartiles, measure: Measure) -> Cell:
    if math.isnan(quartiles.median):
        return Cell(NONE)
    first, third = measure.text(quartiles.first), measure.text(quartiles.third)
    return Cell(measure.text(quartiles.median), f"{first}–{third}")


def _targets(summary: Summary) -> Table:
    rows = []
    for model, target in summary.targets.items():
        low, high = target.low, target.high
        interval = "" if math.isnan(low) else f"{100 * low:.1f}, {100 * high:.1f}"
        rows.append(
            (
                Cell(model),
                Cell(str(target.objects)),
                Cell(f"{100 * target.reached:.1f} %", interval),
                Cell(_or_not_reached(target.interactions, 0)),
                Cell(_or_not_reached(target.seconds, 1)),
            )
        )
    return Table(
        "targets",
        "The target Dice: the share of objects that reached it, a mean over cases with its 95 % "
        "confidence interval; the interactions and seconds until then, medians in which objects "
        "that never reached it count as infinite and every case has the same weight.",
        ("model", "objects", "reached", "median interactions", "median seconds"),
        tuple(rows),
    )


def _or_not_reached(value: float, digits: int) -> str:
    return number(value, digits) if math.isfinite(value) else "not reached by half"
