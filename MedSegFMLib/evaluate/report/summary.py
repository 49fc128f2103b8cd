"""The summary of results: overall, by modality and by object, with paired tests and rankings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...datasets.cases import Case
from ...metrics.measures import SECONDS
from ...tasks.records import Failure
from ..protocol import Protocol
from ..records import Row
from .case_scores import (
    SCORES,
    CaseScore,
    case_scores,
    counted_rows,
    group_by_modality,
    group_by_object,
    values,
)
from .costs import Cost, cost_of
from .instances import InstanceScore, instance_scores
from .phrases import PhraseScore, phrase_scores
from .ranking import Ranking, rank_models
from .statistics import PairedTest, compare_models, mean_intervals
from .targets import TargetScore, target_score

# The columns of the table of models on the command line, by keys of `Summary.column`.
COLUMNS = {**SCORES, "seconds_per_click": SECONDS.named("median per click")}
_SIGNIFICANT = 0.05
# The scores by which models are compared and ranked.
COMPARED = ("dsc_final", "nsd_final", "dsc_auc", "nsd_auc")


@dataclass(frozen=True)
class Group:
    """One model on a group of cases.

    Attributes:
        model: the model.
        n: the number of cases.
        means: the mean of each of SCORES over cases; NaN if unknown.
        intervals: its confidence interval; NaN if unknown.
    """

    model: str
    n: int
    means: dict[str, float]
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Summary:
    """All results.

    Attributes:
        rows: the rows that count, all steps of every object.
        scores: by model and case.
        models: overall results by model; those without any result come last.
        modalities: results by modality.
        objects: results by object.
        hd95_mm: by model, the median over cases, and the number of cases in which an object is
            missed entirely.
        costs: by model.
        paired_tests: by score; scores without data are missing.
        rankings: by score, likewise.
        targets: by model, if the protocol has a target.
        instances: F1 by model, if cases have instances.
        phrases: by model and kind of words, if the protocol asks in several.
    """

    rows: list[Row]
    scores: dict[str, dict[str, CaseScore]]
    models: dict[str, Group]
    modalities: dict[str, list[Group]]
    objects: dict[str, list[Group]]
    hd95_mm: dict[str, tuple[float, int]]
    costs: dict[str, Cost]
    paired_tests: dict[str, list[PairedTest]]
    rankings: dict[str, Ranking]
    targets: dict[str, TargetScore]
    instances: dict[str, InstanceScore]
    phrases: dict[str, dict[str, PhraseScore]]

    @property
    def ran(self) -> list[str]:
        """The models that computed anything; the others could not be loaded."""
        return list(self.scores)

    @property
    def caution(self) -> str:
        """The caution of the ranking of the fewest cases; empty if all have enough."""
        fewest = min(self.rankings.values(), key=lambda one: one.cases, default=None)
        if fewest is None or not fewest.caution:
            return ""
        tests = [pair.p_holm for pairs in self.paired_tests.values() for pair in pairs]
        tested = [p for p in tests if not math.isnan(p)]
        if tested and min(tested) >= _SIGNIFICANT:
            return f"{fewest.caution} No difference has p < 0.05 after Holm's correction."
        return fewest.caution

    def column(self, model: str, key: str) -> float:
        """A number of COLUMNS as it is: what is rounded twice differs from the report; or NaN."""
        if key in SCORES:
            return self.models[model].means[key]
        return self.costs[model].click_seconds.median if model in self.costs else math.nan

    def as_json(self) -> dict[str, Any]:
        """All results by model; unknown numbers are null."""
        return {model: _plain(self._model_as_dict(model)) for model in self.models}

    def _model_as_dict(self, model: str) -> dict[str, Any]:
        result = _group_as_dict(self.models[model])
        if model not in self.scores:
            return {**result, "seconds_per_click": math.nan, "modalities": {}, "objects": {}}
        cost = self.costs[model]
        median, missed = self.hd95_mm[model]
        result |= {
            "seconds_per_click": cost.click_seconds.median,
            "hd95_mm_median": median,
            "hd95_mm_infinite": missed,
            "cost": asdict(cost),
        }
        for name, groups in (("modalities", self.modalities), ("objects", self.objects)):
            result[name] = {
                key: _group_as_dict(group)
                for key, model_groups in groups.items()
                for group in model_groups
                if group.model == model
            }
        result["against"] = {
            pair.other: {
                score: {k: v for k, v in asdict(own).items() if k not in ("model", "other")}
                for score, pairs in self.paired_tests.items()
                for own in pairs
                if (own.model, own.other) == (model, pair.other)
            }
            for pair in next(iter(self.paired_tests.values()), [])
            if pair.model == model
        }
        result["places"] = {
            score: _place(ranking, model)
            for score, ranking in self.rankings.items()
            if model in ranking.models
        }
        if model in self.instances:
            result["f1"] = asdict(self.instances[model])
        if model in self.phrases:
            result["phrases"] = {kind: asdict(score) for kind, score in self.phrases[model].items()}
        if model in self.targets:
            result["target"] = asdict(self.targets[model])
        return result


def summarise(
    rows: Sequence[Row], failures: Sequence[Failure], cases: Sequence[Case], protocol: Protocol
) -> Summary:
    """Summarise the rows and failures of `cases` as the protocol says."""
    counted = counted_rows(rows, failures, cases, protocol)
    scores = case_scores(counted)
    compared = {
        score: {model: values(by_model, score) for model, by_model in scores.items()}
        for score in COMPARED
    }
    complete = {
        score: by_model
        for score, by_model in compared.items()
        if by_model and all(by_model.values())
    }
    rankings = {score: rank_models(by_model) for score, by_model in complete.items()}
    of_model = {model: [row for row in counted if row.model == model] for model in scores}
    requested = dict.fromkeys(
        [*(row.model for row in rows), *(failure.model for failure in failures)]
    )
    return Summary(
        rows=counted,
        scores=scores,
        models={
            **{model: _group(model, by_model) for model, by_model in scores.items()},
            **{model: _group(model, {}) for model in requested if model not in scores},
        },
        modalities=_groups(group_by_modality(counted)),
        objects=_groups(group_by_object(counted)),
        hd95_mm={model: _hausdorff(by_model) for model, by_model in scores.items()},
        costs={model: cost_of([row for row in rows if row.model == model]) for model in scores},
        paired_tests={score: compare_models(by_model) for score, by_model in complete.items()},
        rankings={score: ranking for score, ranking in rankings.items() if ranking},
        targets={
            model: target_score(own, protocol)
            for model, own in of_model.items()
            if protocol.target_dice is not None
        },
        instances=instance_scores(counted),
        phrases=phrase_scores(counted, cases),
    )


def _groups(rows_of: dict[str, list[Row]]) -> dict[str, list[Group]]:
    return {
        name: [_group(model, by_case) for model, by_case in case_scores(rows).items()]
        for name, rows in rows_of.items()
    }


def _group(model: str, scores: dict[str, CaseScore]) -> Group:
    table = np.array([[case.get(score) for case in scores.values()] for score in SCORES])
    known = ~np.isnan(table).any(axis=1) & bool(scores)
    means = np.full(len(SCORES), np.nan)
    intervals = np.full((len(SCORES), 2), np.nan)
    if known.any():
        means[known] = table[known].mean(axis=1)
        intervals[known] = mean_intervals(table[known])
    return Group(
        model,
        len(scores),
        {score: float(mean) for score, mean in zip(SCORES, means, strict=True)},
        {
            score: (float(low), float(high))
            for score, (low, high) in zip(SCORES, intervals, strict=True)
        },
    )


def _hausdorff(scores: dict[str, CaseScore]) -> tuple[float, int]:
    distances = [case.hd95_mm for case in scores.values() if not math.isnan(case.hd95_mm)]
    # The mean of the two in the middle is infinite if the larger one is.
    median = float(np.median(distances)) if distances else math.nan
    return median, sum(map(math.isinf, distances))


def _group_as_dict(group: Group) -> dict[str, Any]:
    return {"n": group.n, **group.means, "intervals": group.intervals}


def _place(ranking: Ranking, model: str) -> dict[str, Any]:
    at = ranking.models.index(model)
    return {
        "place": ranking.by_mean[at],
        "low": ranking.low[at],
        "high": ranking.high[at],
        "by_places": ranking.by_places[at],
        "frequencies": ranking.frequencies[at].tolist(),
        "cases": ranking.cases,
        "agreement": ranking.agreement,
        "stability": ranking.stability,
    }


def _plain(value: Any) -> Any:
    """Round to four decimals (p-values: three digits); NaN and infinity become null in JSON."""
    if isinstance(value, dict):
        return {
            key: None
            if isinstance(item, float) and not math.isfinite(item)
            else float(f"{item:.3g}")
            if key in ("p", "p_holm")
            else _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
