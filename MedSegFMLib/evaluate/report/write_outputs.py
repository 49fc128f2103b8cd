"""The outputs of a call of evaluate besides the rows: summary.json, tables and the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ...datasets.cases import Case
from ...system.atomic_files import write_text
from ...tasks.records import Failure
from ..protocol import Protocol
from ..records import Row
from ..results.run_log import RunRecord
from .html_report import write_report
from .summary import Summary, summarise
from .table_files import write_tables


def write_outputs(
    rows: Sequence[Row],
    failures: Sequence[Failure],
    cases: Sequence[Case],
    protocol: Protocol,
    runs: Sequence[RunRecord],
    folder: Path,
) -> Summary:
    """Summarise the rows and failures of `cases`, and write the outputs into the folder."""
    summary = summarise(rows, failures, cases, protocol)
    write_text(folder / "summary.json", json.dumps(summary.as_json(), indent=1, allow_nan=False))
    write_tables(summary, folder)
    write_report(summary, rows, failures, cases, protocol, runs, folder)
    return summary
