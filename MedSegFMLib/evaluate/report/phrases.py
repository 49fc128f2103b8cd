"""How much the words for an object move Dice, under a protocol with phrasings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...datasets.cases import Case
from ..phrasings import AS_NAMED
from ..records import Row
from .statistics import mean_intervals


@dataclass(frozen=True)
class PhraseScore:
    """One model with one kind of words.

    Attributes:
        cases: the number of cases.
        phrases: the number of phrases, over all objects.
        dsc: Dice, the mean over cases.
        change: Dice less that of the objects as they are named, the mean over cases.
        interval: the 95 % confidence interval of that mean; NaN below six cases, and if all are
            equal.
        lowest: the change of the phrase that loses most, or gains least.
    """

    cases: int
    phrases: int
    dsc: float
    change: float
    interval: tuple[float, float]
    lowest: float


def phrase_scores(rows: Sequence[Row], cases: Sequence[Case]) -> dict[str, dict[str, PhraseScore]]:
    """The scores by model and kind of words; empty if the cases have no phrasings.

    Phrases are averaged within an object, objects and seeds within a case.

    Args:
        rows: the rows that count; a phrase has one.
        cases: the cases as they were prompted.
    """
    known = {
        (case.name, phrase): kind_and_name
        for case in cases
        for (_, phrase), kind_and_name in zip(case.objects, case.phrasings, strict=False)
    }
    # By model and kind, then by case, seed and object: Dice by phrase.
    found: dict[str, dict[str, dict[tuple[str, int, str], list[float]]]] = {}
    for row in rows:
        if (row.case, row.object) in known:
            kind, name = known[row.case, row.object]
            by_object = found.setdefault(row.model, {}).setdefault(kind, {})
            by_object.setdefault((row.case, row.seed, name), []).append(row.dsc)
    return {
        model: {kind: _score(by_object, kinds[AS_NAMED]) for kind, by_object in kinds.items()}
        for model, kinds in found.items()
        if AS_NAMED in kinds
    }


def _score(
    by_object: dict[tuple[str, int, str], list[float]],
    named: dict[tuple[str, int, str], list[float]],
) -> PhraseScore:
    dsc, change = defaultdict(list), defaultdict(list)
    lowest = np.inf
    for key, values in by_object.items():
        if key in named:
            dsc[key[0]].append(np.mean(values))
            change[key[0]].append(np.mean(values) - named[key][0])
            lowest = min(lowest, min(values) - named[key][0])
    by_case = np.array([[np.mean(v) for v in part.values()] for part in (dsc, change)])
    low, high = mean_intervals(by_case)[1]
    return PhraseScore(
        by_case.shape[1],
        sum(map(len, by_object.values())),
        float(by_case[0].mean()),
        float(by_case[1].mean()),
        (float(low), float(high)),
        float(lowest),
    )
