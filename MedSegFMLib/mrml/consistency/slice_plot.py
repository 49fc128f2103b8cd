"""How well the planes agree from slice to slice, as a chart for Slicer's plot view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk

from ...volumes.geometry import Geometry
from ...volumes.patient_planes import SLICE_SIDES, planes, slice_positions_mm
from ...volumes.region import Region
from ..nodes.hidden_nodes import add_helper, is_in, remove
from .contours import PLANE_COLORS

_X_TITLE = "Distance from the middle of the compared region, towards S, A or R (mm)"
_Y_TITLE = "Agreement of the planes (mean Dice)"
_MARKER_POINTS = 4


class SlicePlot:
    """A table, a series for each plane and a chart of them, in the scene while something is shown.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        chart: The vtkMRMLPlotChartNode; None while nothing is shown.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._table: Any | None = None
        self._series: dict[str, Any] = {}
        self.chart: Any | None = None

    def show(
        self,
        geometry: Geometry,
        region: Region,
        slices: Mapping[str, Sequence[float | None]],
        name: str,
    ) -> None:
        """Show the scores of slices.

        Args:
            geometry: The volume's grid.
            region: The part of it that was measured.
            slices: The score of each slice of the region, None for a gap, by the plane's name.
            name: The name of the segment, for the chart's title.
        """
        if not all(is_in(self._scene, n) for n in (self._table, self.chart)):
            self._make()
        assert self._table is not None and self.chart is not None, "both were just made"
        columns: dict[str, NDArray[np.float64]] = {}
        for plane, scores in slices.items():
            columns[_x_name(plane)] = distances_mm(geometry, region, plane)
            columns[plane] = np.array([np.nan if s is None else s for s in scores])
        _fill(self._table, columns)
        self.chart.SetTitle(f"Agreement of the planes: {name}")

    def clear(self) -> None:
        """Remove everything."""
        remove(self._scene, self.chart, *self._series.values(), self._table)
        self._table = self.chart = None
        self._series = {}

    def _make(self) -> None:
        self.clear()
        scene = self._scene
        self._table = add_helper(scene, "vtkMRMLTableNode", "MedSegFM agreement by slice")
        chart = self.chart = add_helper(scene, "vtkMRMLPlotChartNode", "MedSegFM agreement")
        chart.SetXAxisTitle(_X_TITLE)
        chart.SetYAxisTitle(_Y_TITLE)
        chart.SetYAxisRangeAuto(False)
        chart.SetYAxisRange(0.0, 1.05)
        for name in SLICE_SIDES:
            color = PLANE_COLORS[name]
            series = add_helper(scene, "vtkMRMLPlotSeriesNode", name.capitalize())
            series.SetAndObserveTableNodeID(self._table.GetID())
            # Not along the table's rows: the planes have slices at other places.
            series.SetPlotType(series.PlotTypeScatter)
            series.SetXColumnName(_x_name(name))
            series.SetYColumnName(name)
            # Points: a slice between two without the object would be no line.
            series.SetMarkerStyle(series.MarkerStyleCircle)
            series.SetMarkerSize(_MARKER_POINTS)
            series.SetLineStyle(series.LineStyleSolid)
            series.SetLineWidth(2)
            series.SetColor(*color)
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
            self._series[name] = series


def distances_mm(geometry: Geometry, region: Region, plane_name: str) -> NDArray[np.float64]:
    """(n,) float64: positions of the slices of a region, from its middle towards S, A or R."""
    plane = next(plane for plane in planes(geometry) if plane.name == plane_name)
    places = slice_positions_mm(geometry.crop(region), plane)
    return np.asarray(places - places.mean())


def _x_name(plane: str) -> str:
    return f"{plane} slice (mm)"


def _fill(table: Any, columns: Mapping[str, NDArray[np.float64]]) -> None:
    """Put columns into a table node; the shorter ones end with gaps."""
    length = max(map(len, columns.values()))
    was_modified = table.StartModify()
    table.RemoveAllColumns()
    for name, values in columns.items():
        padded = np.pad(values, (0, length - len(values)), constant_values=np.nan)
        column = numpy_to_vtk(padded, deep=True)
        column.SetName(name)
        table.AddColumn(column)
    table.EndModify(was_modified)
