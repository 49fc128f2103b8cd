"""report.html: one file with figures, tables, the worst cases, and how the results were made."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.cases import Case
from ...metrics import measures
from ...system.atomic_files import write_text
from ...tasks.records import Failure, Key
from ..protocol import Protocol
from ..records import PlacedKind, Row
from ..results.protocol_record import read_case_digests
from ..results.run_log import RunRecord
from . import figures
from .report_pictures import Album, open_album
from .statistics import LEAST_CASES
from .summary import Summary
from .tables import tables

# A page with more rows of steps would be slow to open; results.csv contains all of them.
_MOST_STEPS = 3000
# The columns of the steps: fields of `Row`.
_STEP_MEASURES = {
    "dsc": measures.DICE,
    "nsd": measures.SURFACE_DICE,
    "hd95_mm": measures.HD95,
    "seconds": measures.SECONDS,
    "peak_bytes": measures.PEAK_MEMORY,
}


@dataclass(frozen=True)
class _Results:
    """The rows of one object with one model and seed."""

    object: str
    model: str
    seed: int
    steps: list[Row]


def write_report(
    summary: Summary,
    rows: Sequence[Row],
    failures: Sequence[Failure],
    cases: Sequence[Case],
    protocol: Protocol,
    runs: Sequence[RunRecord],
    folder: Path,
) -> None:
    """Write folder/report.html, a self-contained file, from the summary and folder/pictures.

    Args:
        summary: the summary.
        rows: the rows as they were made, for the steps of each case.
        failures: the failures.
        cases: the cases.
        protocol: the protocol.
        runs: the calls that made the results.
        folder: the folder of the results.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("MedSegFMLib.evaluate.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    album = open_album(summary, rows, folder / "pictures")
    html = environment.get_template("report.html.jinja").render(
        measures=measures,
        step_measures=_STEP_MEASURES,
        protocol=protocol,
        protocol_data=json.dumps(dataclasses.asdict(protocol), indent=1),
        tables={table.name: table for table in tables(summary)},
        curves=figures.curves(summary) if summary.scores else "",
        strips=figures.strips(summary) if summary.scores else "",
        stability=figures.stability(summary.rankings) if summary.rankings else "",
        targets=figures.targets(summary) if summary.targets else "",
        least_cases=LEAST_CASES,
        case_count=len({row.case for row in summary.rows}),
        ran=summary.ran,
        absent=[model for model in summary.models if model not in summary.scores],
        caution=summary.caution,
        failures=failures,
        failed_objects=_failed_objects(rows),
        worst=album.worst,
        album=album,
        runs=runs,
        machines=_machines(runs),
        cases=_case_entries(cases, rows, album, folder, protocol),
        steps_shown=len(rows) <= _MOST_STEPS,
        row_count=len(rows),
    )
    write_text(folder / "report.html", html)


def _failed_objects(rows: Sequence[Row]) -> list[Row]:
    """A row of each object without a result, although its task succeeded."""
    failed = {(*row.key, row.object): row for row in rows if row.failed}
    return list(failed.values())


def _machines(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Each machine once, of the calls that computed something; of any call, if none did."""
    computing = [run for run in runs if run.done] or list(runs)
    distinct = {
        json.dumps(machine, sort_keys=True): machine
        for run in computing
        for machine in run.machines
    }
    return list(distinct.values())


def _case_entries(
    cases: Sequence[Case], rows: Sequence[Row], album: Album, folder: Path, protocol: Protocol
) -> list[dict[str, Any]]:
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        rows_of[row.case].append(row)
    pictures_of: dict[str, list[Key]] = defaultdict(list)
    for key in album.pictures.keys() - album.among_worst:
        pictures_of[key[0]].append(key)
    case_digests = read_case_digests(folder, protocol)
    return [
        {
            "name": case.name,
            "modality": case.modality,
            "objects": ", ".join(name for _, name in case.objects),
            "fingerprint": case_digests.get(case.name, ""),
            "resampled": any(row.resampled for row in rows_of[case.name]),
            "results": _results(rows_of[case.name]),
            "pictures": sorted(pictures_of[case.name]),
        }
        for case in cases
    ]


def _results(rows: Sequence[Row]) -> list[_Results]:
    """The results in the order of objects, then models and seeds."""
    steps: dict[str, dict[tuple[str, int], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.prompt != PlacedKind.NONE:
            steps[row.object][row.model, row.seed].append(row)
    return [
        _Results(name, model, seed, own)
        for name, tasks in steps.items()
        for (model, seed), own in tasks.items()
    ]
