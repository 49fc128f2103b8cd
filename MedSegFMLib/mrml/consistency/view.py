"""The agreement of an object's planes in the scene: map, outlines, suggested click and chart."""

from __future__ import annotations

from typing import Any

import slicer

from ...consistency import Consistency, HotSpot
from ...prompts.types import Point, Position
from ...volumes.geometry import Geometry
from ..prompts.suggested_click import SuggestedClick
from .contours import PlaneContours
from .overlay import DisagreementOverlay
from .segment_fill import SegmentFill
from .slice_plot import SlicePlot


class ConsistencyView:
    """Shows one `Consistency` at a time, or none; none of its nodes is saved.

    shows_contours: whether each plane's outline is drawn.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._shown: tuple[Consistency, bool] | None = None
        self.overlay = DisagreementOverlay(scene)
        self.contours = PlaneContours(scene)
        self.click = SuggestedClick(scene)
        self.plot = SlicePlot(scene)
        self.fill = SegmentFill(scene)
        self.shows_contours = True

    def show(
        self,
        volume_node: Any,
        geometry: Geometry,
        consistency: Consistency,
        segmentation_node: Any,
        segment_id: str,
        click: Point | None,
    ) -> None:
        """Show what was found for a segment, and the click to suggest; nothing is done twice.

        The segment itself is drawn without its fill, which would hide the map.
        """
        self.fill.hollow(segmentation_node, segment_id)
        wanted = (consistency, self.shows_contours)
        if self._shown == wanted:
            self.overlay.enter_new_views()
            return
        found, shown = consistency, None if self._shown is None else self._shown[0]
        self._shown = wanted
        if self.shows_contours:
            self.contours.show(volume_node, found.region, found.masks)
        else:
            self.contours.clear()
        if found is shown:
            return
        self.overlay.show(volume_node, found.region, found.disagreement_kji)
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        self.plot.show(geometry, found.region, found.slices, segment.GetName())
        if click is None:
            self.click.clear()
        else:
            self.click.show(click.position_ras, click.positive)

    def clear(self) -> None:
        """Take everything out of the scene; the slice views show again what they did before."""
        self._shown = None
        for part in (self.overlay, self.contours, self.click, self.plot):
            part.clear()
        self.fill.restore()

    def mend(self) -> None:
        """A scene was loaded that may have been saved while something was shown."""
        self.overlay.mend()
        self.fill.mend()

    def jump(self, position_ras: Position) -> None:
        """Bring crosshair and slice views to a place in RAS millimetres."""
        crosshair = self._scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None:
            crosshair.SetCrosshairRAS(*position_ras)
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._scene, *position_ras)


def position_of(spot: HotSpot, geometry: Geometry) -> Position:
    """Where the click of a hot spot is, in RAS millimetres."""
    r, a, s = geometry.ras_from_ijk(spot.click_kji[::-1]).tolist()
    return r, a, s
