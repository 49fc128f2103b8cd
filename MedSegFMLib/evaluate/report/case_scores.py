"""The scores of one model on one case, which all statistics are based on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...datasets.cases import Case
from ...metrics import interaction_auc
from ...metrics.measures import DICE, SURFACE_DICE
from ...tasks.records import ALL_CASES, Failure, Key
from ..protocol import Protocol
from ..records import PlacedKind, Row
from ..results.target import failed_rows

# The scores that are averaged, compared and ranked.
SCORES = {
    "dsc_box": DICE.named(f"{DICE.name} after the first prompt"),
    "dsc_final": DICE.named(f"{DICE.name} at the end"),
    "dsc_auc": DICE.named(f"{DICE.name} AUC (0-4)", digits=2),
    "nsd_final": SURFACE_DICE.named(f"{SURFACE_DICE.name} at the end"),
    "nsd_auc": SURFACE_DICE.named(f"{SURFACE_DICE.name} AUC (0-4)", digits=2),
}
# As in the challenge: a case that is mostly missed gets no credit for its surface.
LEAST_DSC_FOR_NSD = 0.2
_STEPS_UNDER_CURVE = 5


@dataclass(frozen=True, eq=False)
class CaseScore:
    """One model on one case with all objects and seeds, the unit of means and resampling.

    Attributes:
        case: the name of the case.
        modality: its modality.
        dsc: (steps,) Dice after each prompt, the mean over objects, then over seeds.
        nsd: (steps,) surface Dice likewise.
        hd95_mm: at the end, the mean over objects and seeds; infinite if one is missed entirely.
    """

    case: str
    modality: str
    dsc: NDArray[np.float64]
    nsd: NDArray[np.float64]
    hd95_mm: float

    def get(self, score: str) -> float:
        """One of SCORES; NaN for an area under fewer than five steps."""
        curve = self.dsc if score.startswith("dsc") else self.nsd
        if score.endswith("_box"):
            return float(curve[0])
        if score.endswith("_final"):
            return float(curve[-1])
        return interaction_auc(curve) if len(curve) >= _STEPS_UNDER_CURVE else math.nan


def counted_rows(
    rows: Sequence[Row], failures: Sequence[Failure], cases: Sequence[Case], protocol: Protocol
) -> list[Row]:
    """The rows that count: every object with all steps, its last scores repeated to the end.

    Failures count as the protocol says: with the worst scores, or not at all. The failure of a
    model that could not be loaded counts for all cases without rows of it, unless it has none: a
    model that never ran was not measured.
    """
    failed: dict[tuple[Key, str], list[Row]] = {}
    done = {row.key for row in rows}
    ran = {row.model for row in rows}
    cases_of = {ALL_CASES: cases, **{case.name: [case] for case in cases}}
    for failure in failures if protocol.failures == "zero" else ():
        if failure.case == ALL_CASES and failure.model not in ran:
            continue
        for case in cases_of.get(failure.case, ()):
            key = case.name, failure.model, failure.seed
            if key in done:
                continue
            for _, name in case.objects:
                failed[key, name] = failed_rows(
                    case, failure.model, failure.seed, name, failure.reason, protocol
                )
    objects: dict[tuple[Key, str], list[Row]] = defaultdict(list)
    for row in rows:
        if protocol.counts(row):
            objects[row.key, row.object].append(row)
    counted = []
    for own in [*objects.values(), *failed.values()]:
        last = own[-1]
        counted += own
        counted += [
            replace(last, step=step, prompt=PlacedKind.NONE, seconds=0.0)
            for step in range(last.step + 1, protocol.clicks + 1)
        ]
    return counted


def case_scores(rows: Iterable[Row]) -> dict[str, dict[str, CaseScore]]:
    """The score of each case, by model and case, in the order of the rows.

    At a step at which the mean Dice of a case is 0.2 or less, its surface Dice counts as 0.

    Args:
        rows: all steps of every object, as `counted_rows` returns them.
    """
    tasks: dict[tuple[str, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        tasks[row.model, row.case][row.seed].append(row)
    scores: dict[str, dict[str, CaseScore]] = defaultdict(dict)
    for (model, case), seeds in tasks.items():
        dsc, nsd, hd95 = zip(*map(_task_score, seeds.values()), strict=True)
        modality = next(iter(seeds.values()))[0].modality
        scores[model][case] = CaseScore(
            case, modality, np.mean(dsc, axis=0), np.mean(nsd, axis=0), _mean_known(hd95)
        )
    return dict(scores)


def group_by_object(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each object's name."""
    return _group_rows(rows, [row.object for row in rows])


def group_by_modality(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each modality."""
    return _group_rows(rows, [row.modality for row in rows])


def values(scores: Mapping[str, CaseScore], score: str) -> dict[str, float]:
    """One score of each case, without cases in which it is NaN."""
    all_values = {case: case_score.get(score) for case, case_score in scores.items()}
    return {case: value for case, value in all_values.items() if not math.isnan(value)}


def _group_rows(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row, name in zip(rows, names, strict=True):
        groups[name].append(row)
    return dict(groups)


def _task_score(rows: Sequence[Row]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Dice and surface Dice after each step, and the last Hausdorff distance, over objects."""
    ordered = sorted(rows, key=lambda row: row.step)
    # Every object has all steps, so each row of the table is a step.
    table = np.array([(row.dsc, row.nsd) for row in ordered]).reshape(ordered[-1].step + 1, -1, 2)
    dsc, nsd = table.mean(axis=1).T
    return (
        dsc,
        np.where(dsc > LEAST_DSC_FOR_NSD, nsd, 0.0),
        _mean_known([row.hd95_mm for row in ordered if row.step == ordered[-1].step]),
    )


def _mean_known(distances: Sequence[float]) -> float:
    known = [distance for distance in distances if not math.isnan(distance)]
    return sum(known) / len(known) if known else math.nan
