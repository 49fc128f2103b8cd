"""A comparison of models as a table: in the scene, as text for a spreadsheet, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtkmodules.vtkCommonCore import vtkDoubleArray, vtkStringArray

from ...system.atomic_files import write_text
from ...system.csv_cells import escaped
from ..nodes.hidden_nodes import is_in
from .columns import COLUMNS, Column, RowData, Value, columns_for
from .comparison import ModelComparison
from .results import ModelResult


@dataclass(frozen=True)
class ModelTable:
    """A row for each model and object; a number that is missing, or not computed yet, is None."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def text(self, separator: str = "\t") -> str:
        """Headings and rows as text; with tabs it can be pasted into a spreadsheet."""
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
        writer.writerow([column.heading for column in self.columns])
        writer.writerows([["" if v is None else escaped(v) for v in row] for row in self.rows])
        return stream.getvalue()

    def write_csv(self, path: Path | str) -> None:
        """Write a CSV file atomically.

        Raises:
            OutputError: the file cannot be written.
        """
        write_text(path, self.text(","))


def table_of(comparison: ModelComparison, labels: Sequence[int] | None = None) -> ModelTable:
    """The table of a comparison.

    Args:
        comparison: the comparison.
        labels: the objects to include; None for all.
    """
    subject, results = comparison.subject, comparison.results
    columns = columns_for(results)
    if subject is None:
        return ModelTable(columns, ())
    included = subject.labels if labels is None else labels
    rows = [_row_data(comparison, label, result) for label in included for result in results]
    return ModelTable(columns, tuple(tuple(c.cell(row) for c in columns) for row in rows))


def _row_data(comparison: ModelComparison, label: int, result: ModelResult) -> RowData:
    scoring, subject, model = comparison.scoring, comparison.subject, result.model
    assert subject is not None, "there are results"
    others = [other.model for other in comparison.results if other is not result]
    return RowData(
        object_name=subject.prompts.name(label),
        label=label,
        result=result,
        scores={c.key: scoring.score(c.key, label, model) for c in COLUMNS if c.value is None},
        agreements={other: scoring.agreement(label, model, other) for other in others},
        agreement=scoring.mean_agreement(label, model),
    )


class TableNode:
    """The vtkMRMLTableNode of the latest comparison, which is the user's and saved with the scene.

    Attributes:
        node: the node; None before the first comparison.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._shown: ModelTable | None = None
        self.node: Any | None = None

    def begin(self, name: str) -> None:
        """Add a table node for a new comparison; earlier ones stay in the scene."""
        self.node = self._scene.AddNewNodeByClass(
            "vtkMRMLTableNode", self._scene.GenerateUniqueName(name)
        )
        self._shown = None

    def show(self, table: ModelTable) -> None:
        """Write a table into the node, if it differs from the one shown."""
        if self._shown == table or not is_in(self._scene, self.node):
            return
        self._shown, node = table, self.node
        assert node is not None, "it is in the scene"
        was_modified = node.StartModify()
        node.RemoveAllColumns()
        node.SetUseColumnTitleAsColumnHeader(True)
        for n, column in enumerate(table.columns):
            is_text = column.measure is None
            array: Any = vtkStringArray() if is_text else vtkDoubleArray()
            array.SetName(column.title)
            missing: Value = "" if is_text else float("nan")
            for row in table.rows:
                array.InsertNextValue(missing if row[n] is None else row[n])
            node.AddColumn(array)
            if column.unit:
                node.SetColumnUnitLabel(column.title, column.unit)
        node.SetLocked(True)
        node.EndModify(was_modified)
