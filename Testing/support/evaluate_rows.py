"""Rows as a run would leave them, made of numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.evaluate.records import Row

STEPS = 6


def a_row(model: str, case: str, dsc: float, step: int = 0, **others: object) -> Row:
    """One step of one object, with the first prompt a box."""
    values: dict[str, object] = {
        "modality": "CT",
        "object": "liver",
        "seed": 0,
        "prompt": "click +" if step else "box",
        "nsd": dsc,
        "hd95_mm": 4.0,
        "seconds": 0.5 if step else 2.0,
        "peak_bytes": 10**9,
        "resampled": False,
        **others,
    }
    return Row(model=model, case=case, dsc=dsc, step=step, **values)  # type: ignore[arg-type]


def steps_of(model: str, case: str, last: float, **others: object) -> list[Row]:
    """All steps of one object, each a little better, up to `last`."""
    return [a_row(model, case, last * (1 + step / 5) / 2, step, **others) for step in range(STEPS)]


def rows_of(table: Mapping[str, Sequence[float]]) -> list[Row]:
    """For each model the Dice at the end of case 0, case 1, …, each with one object."""
    return [
        row
        for model, scores in table.items()
        for n, score in enumerate(scores)
        for row in steps_of(model, f"case {n}", score)
    ]


def cases_of(rows: Sequence[Row]) -> list[Case]:
    """The cases of which rows tell, without files."""
    objects: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        held = objects.setdefault((row.case, row.modality), [])
        if row.object not in held:
            held.append(row.object)
    here = Path()
    return [
        Case(case, here, here / "i.nrrd", here / "l.nrrd", modality, tuple(enumerate(names, 1)))
        for (case, modality), names in objects.items()
    ]
