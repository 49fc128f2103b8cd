"""Reports of evaluations of rows that are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from evaluate_rows import cases_of

from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.records import Row
from MedSegFMLib.evaluate.report.summary import Summary
from MedSegFMLib.evaluate.report.write_outputs import write_outputs
from MedSegFMLib.evaluate.results.run_log import RunRecord, now
from MedSegFMLib.tasks.records import Failure

RNG = np.random.default_rng(3)

EIGHT = {model: RNG.beta(5, 2, 8).tolist() for model in ("ensam", "randomwalk", "ellipsoid")}

MACHINE = {
    "versions": {"medsegfm": "9.9", "numpy": "2.0"},
    "system": "Some system",
    "cpu": "Some processor",
    "cores": 2,
    "all_cores": 4,
    "memory_gb": 24.0,
    "gpus": ["Some GPU"],
}


def written(
    folder: Path, rows: list[Row], *failures: Failure, protocol: Protocol | None = None
) -> Summary:
    runs = [RunRecord("medsegfm evaluate x.json", [0], now(), 3, len(failures), [MACHINE])]
    protocol = protocol or Protocol()
    return write_outputs(rows, failures, cases_of(rows), protocol, runs, folder)


def html_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")
