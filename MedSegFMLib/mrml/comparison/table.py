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
from ..nodes.hidden_nodes import is_in
from .background_jobs import TOLERANCE_MM
from .comparison import ModelComparison
from .results import ModelResult, Stage

Value = str | float | None
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Column:
    """A column by its name; unit: "" for words and for scores from 0 to 1."""

    name: str
    unit: str = ""
    is_text: bool = False

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class ModelTable:
    """A row for each model and object; a number that is not there, or not yet, is None."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def text(self, separator: str = "\t") -> str:
        """Headings and rows as text: separated by tabs a spreadsheet takes it when pasted."""
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
        writer.writerow([column.heading for column in self.columns])
        writer.writerows([["" if v is None else v for v in row] for row in self.rows])
        return stream.getvalue()

    def write_csv(self, path: Path | str) -> None:
        """Write a CSV file, whole or not at all; OutputError where it cannot be written."""
        write_text(path, self.text(","))


def table_of(comparison: ModelComparison, labels: Sequence[int] | None = None) -> ModelTable:
    """The table of a comparison, of all objects or of some."""
    subject, results = comparison.subject, comparison.results
    columns = (
        Column("Object", is_text=True),
        Column("Model", is_text=True),
        Column("Dice"),
        Column(f"Surface Dice at {TOLERANCE_MM:g} mm"),
        Column("Agreement"),
        Column("Volume", "ml"),
        Column("Time", "s"),
        Column("Peak memory", "MB"),
        Column("Consistency"),
        *(Column(f"Dice with {found.title}") for found in results),
        Column("Note", is_text=True),
    )
    if subject is None:
        return ModelTable(columns, ())
    chosen = subject.labels if labels is None else labels
    return ModelTable(
        columns, tuple(_row(comparison, label, found) for label in chosen for found in results)
    )


class TableNode:
    """The vtkMRMLTableNode of the latest comparison: the user's, and saved with the scene.

    node: None before there was one.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._shown: ModelTable | None = None
        self.node: Any | None = None

    def begin(self, name: str) -> None:
        """A new comparison gets a new table; that of the one before stays in the scene."""
        self.node = self._scene.AddNewNodeByClass(
            "vtkMRMLTableNode", self._scene.GenerateUniqueName(name)
        )
        self._shown = None

    def show(self, table: ModelTable) -> None:
        """Bring the node to a table, where it shows another."""
        if self._shown == table or not is_in(self._scene, self.node):
            return
        self._shown, node = table, self.node
        assert node is not None, "it is in the scene"
        was_modified = node.StartModify()
        node.RemoveAllColumns()
        node.SetUseColumnTitleAsColumnHeader(True)
        for n, column in enumerate(table.columns):
            array: Any = vtkStringArray() if column.is_text else vtkDoubleArray()
            array.SetName(column.name)
            for row in table.rows:
                missing: Value = "" if column.is_text else float("nan")
                array.InsertNextValue(missing if row[n] is None else row[n])
            node.AddColumn(array)
            if column.unit:
                node.SetColumnUnitLabel(column.name, column.unit)
        node.SetLocked(True)
        node.EndModify(was_modified)


def _row(comparison: ModelComparison, label: int, found: ModelResult) -> tuple[Value, ...]:
    scoring, subject = comparison.scoring, comparison.subject
    assert subject is not None, "there are results"
    model, cost = found.model, found.cost
    with_others = [
        None if other is found else scoring.agreement(label, model, other.model)
        for other in comparison.results
    ]
    return (
        subject.prompts.name(label),
        found.title,
        _rounded(scoring.dice(label, model), 4),
        _rounded(scoring.surface_dice(label, model), 4),
        _rounded(scoring.mean_agreement(label, model), 4),
        _rounded(scoring.volume(label, model), 3),
        None if cost is None else _rounded(cost.seconds, 2),
        None if cost is None or not cost.peak_bytes else _rounded(cost.peak_bytes / _MEGABYTE, 0),
        _rounded(found.agreements.get(label), 4),
        *(_rounded(score, 4) for score in with_others),
        found.sentence or ("Stopped." if found.stage is Stage.STOPPED else ""),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
