"""The pictures in the report: the worst cases first, then others up to the size limit."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...tasks.records import Key
from ..records import Row
from ..results.case_picture import picture_name
from .summary import Summary

WORST = 5
# The limit of all pictures as base64: mail and browsers cope with a report of 20 MB.
MOST_BYTES = 16_000_000


@dataclass(frozen=True)
class WorstCase:
    """A case with a low score of a model.

    Attributes:
        key: the task with the seed of the worst result.
        modality: the modality.
        dsc: the Dice of the case at the end.
        nsd: its surface Dice at the end.
        object: the worst object.
        object_dsc: its Dice.
        object_hd95_mm: its HD95.
    """

    key: Key
    modality: str
    dsc: float
    nsd: float
    object: str
    object_dsc: float
    object_hd95_mm: float


@dataclass(frozen=True)
class Album:
    """The pictures of the report.

    Attributes:
        pictures: the pictures as base64.
        left_out: the number of pictures that are not included.
        worst: the worst cases by model, the worst first.
    """

    pictures: dict[Key, str]
    left_out: int
    worst: dict[str, list[WorstCase]]

    @property
    def among_worst(self) -> set[Key]:
        """The pictures shown with the worst cases, and therefore not again with their case."""
        return {case.key for cases in self.worst.values() for case in cases}


def open_album(summary: Summary, rows: Sequence[Row], folder: Path) -> Album:
    """Read the pictures that fit, those of the worst cases before all others."""
    last = _last_rows(rows)
    worst = {model: _worst(summary, model, last) for model in summary.scores}
    keys = [case.key for cases in worst.values() for case in cases]
    pictures: dict[Key, str] = {}
    left_out = 0
    room = MOST_BYTES
    for key in dict.fromkeys([*keys, *last]):
        path = folder / picture_name(key)
        if not path.exists():
            continue
        needed = -(-path.stat().st_size // 3) * 4
        if needed > room:
            left_out += 1
            continue
        room -= needed
        pictures[key] = base64.b64encode(path.read_bytes()).decode("ascii")
    return Album(pictures, left_out, worst)


def _last_rows(rows: Sequence[Row]) -> dict[Key, dict[str, Row]]:
    """The last row of each object of each task."""
    last: dict[Key, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        earlier = last[row.key].get(row.object)
        if earlier is None or row.step >= earlier.step:
            last[row.key][row.object] = row
    return dict(last)


def _worst(summary: Summary, model: str, last: dict[Key, dict[str, Row]]) -> list[WorstCase]:
    """The cases with the lowest Dice at the end, among those with a result."""
    tasks: dict[str, list[Key]] = defaultdict(list)
    for key in last:
        if key[1] == model and key[0] in summary.scores[model]:
            tasks[key[0]].append(key)
    scores = summary.scores[model]
    worst = []
    for case in sorted(tasks, key=lambda name: scores[name].get("dsc_final"))[:WORST]:
        rows = [(row.dsc, key, row) for key in tasks[case] for row in last[key].values()]
        _, key, row = min(rows, key=lambda item: item[0])
        worst.append(
            WorstCase(
                key,
                row.modality,
                scores[case].get("dsc_final"),
                scores[case].get("nsd_final"),
                row.object,
                row.dsc,
                row.hd95_mm,
            )
        )
    return worst
