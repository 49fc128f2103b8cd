"""The table of models that evaluate prints has the numbers of its report."""

from __future__ import annotations

import pytest
from evaluate_rows import cases_of, rows_of

from MedSegFMLib.commands.evaluate import print_models
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.report.summary import summarise
from MedSegFMLib.evaluate.report.tables import tables


def test_a_mean_is_rounded_once_and_reads_as_in_the_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # With four decimals it is 0.9895, which with three would be 0.990.
    rows = rows_of({"ensam": [0.989496]})
    summary = summarise(rows, [], cases_of(rows), Protocol())
    print_models(summary)
    printed = capsys.readouterr().out
    (row,) = tables(summary)[0].rows
    assert "0.989" in [cell.text for cell in row]
    assert "0.989" in printed and "0.990" not in printed
