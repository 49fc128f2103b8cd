"""results.csv, what makes an interrupted run go on, and summary.json."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_text
from ..errors import CasesError
from ..metrics import interaction_auc
from .protocol import Protocol, Row

_CONVERT: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": lambda text: text == "True",
}
# As in the challenge: a case that is mostly missed gets no credit for its surface.
_LEAST_DSC_FOR_NSD = 0.2


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write results.csv, whole or not at all."""
    text = io.StringIO()
    fields = [field.name for field in dataclasses.fields(Row)]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    write_text(path, text.getvalue())


def read_rows(path: Path) -> list[Row]:
    """The rows of an earlier run, none where there is no file; CasesError where it is damaged."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [
                Row(
                    **{
                        field.name: _CONVERT[str(field.type)](record[field.name])
                        for field in dataclasses.fields(Row)
                    }
                )
                for record in csv.DictReader(stream)
            ]
    except (KeyError, TypeError, ValueError) as error:
        raise CasesError(
            f"{path} is no result of this program ({error!r}); remove it or choose another folder."
        ) from error


def check_same_protocol(folder: Path, protocol: Protocol) -> None:
    """Refuse to mix runs: CasesError where `folder` holds results of another protocol."""
    path = folder / "protocol.json"
    wanted = dataclasses.asdict(protocol)
    if path.exists():
        held = json.loads(path.read_text(encoding="utf-8"))
        if held != wanted:
            raise CasesError(
                f"{folder} holds results of another protocol ({held}, not {wanted}); choose "
                "another folder."
            )
    else:
        write_text(path, json.dumps(wanted))


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
