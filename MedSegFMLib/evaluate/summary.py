"""The scores of models over cases, as summary.json, the report and the terminal show them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..metrics import interaction_auc
from .records import Row

# What a table shows of each model, in this order, and the words above it.
COLUMNS = {
    "n": "cases",
    "dsc_box": "Dice after the first prompt",
    "dsc_final": "Dice at the end",
    "dsc_auc": "Dice AUC (0-4)",
    "nsd_final": "surface Dice at the end",
    "nsd_auc": "surface Dice AUC (0-4)",
    "seconds_per_click": "median seconds per click",
}
# As in the challenge: a case that is mostly missed gets no credit for its surface.
_LEAST_DSC_FOR_NSD = 0.2


def object_means(rows: Sequence[Row]) -> dict[str, float]:
    """Scores of one model over `rows`, averaged over objects in a case, then over cases.

    dsc_auc, nsd_auc: area under the last five steps, 0 to 4; dsc_final, nsd_final: after the last
    step; dsc_box: after the box; seconds_per_click: of the steps after the box; n: cases.
    The surface Dice of a case counts as 0 at steps whose mean Dice is 0.2 or less.
    """
    cases: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cases[row.case][row.step].append(row)
    dsc, nsd = [], []
    for steps in cases.values():
        dsc.append([_mean(row.dsc for row in steps[step]) for step in sorted(steps)])
        nsd.append(
            [
                _mean(row.nsd for row in steps[step]) if d > _LEAST_DSC_FOR_NSD else 0.0
                for step, d in zip(sorted(steps), dsc[-1], strict=True)
            ]
        )
    clicked = [row.seconds for row in rows if row.step > 0 and row.prompt != "none"]
    enough = all(len(scores) >= 5 for scores in dsc)
    return {
        "dsc_auc": _mean(map(interaction_auc, dsc)) if enough else math.nan,
        "nsd_auc": _mean(map(interaction_auc, nsd)) if enough else math.nan,
        "dsc_box": _mean(scores[0] for scores in dsc),
        "dsc_final": _mean(scores[-1] for scores in dsc),
        "nsd_final": _mean(scores[-1] for scores in nsd),
        "seconds_per_click": float(np.median(clicked)) if clicked else math.nan,
        "n": len(cases),
    }


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """`object_means` for each model, in all and by modality, as summary.json holds it."""
    summary: dict[str, Any] = {}
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        summary[model] = {
            **_rounded(object_means(own)),
            "modalities": {
                modality: _rounded(object_means([row for row in own if row.modality == modality]))
                for modality in dict.fromkeys(row.modality for row in own)
            },
        }
    return summary


def _rounded(scores: dict[str, float]) -> dict[str, float | None]:
    """Four digits; JSON knows no NaN, so what is undefined becomes null."""
    return {key: None if math.isnan(value) else round(value, 4) for key, value in scores.items()}


def _mean(values: Iterable[float]) -> float:
    held = list(values)
    return float(np.mean(held)) if held else math.nan
