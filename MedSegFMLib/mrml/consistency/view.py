"""The agreement of an object's planes in the scene: map, outlines, doubtful position and chart."""

from __future__ import annotations

from typing import Any

from ...consistency import Consistency, HotSpot
from ...prompts.positions import Position
from ...volumes.geometry import Geometry
from ..nodes.slice_views import jump_to
from ..prompts.doubt_mark import DoubtMark
from .contours import PlaneContours
from .overlay import DisagreementOverlay
from .segment_fill import SegmentFill
from .slice_plot import SlicePlot


class ConsistencyView:
    """Shows one `Consistency` at a time, or none; none of its nodes is saved.

    Args:
        scene: The vtkMRMLScene.

    Attributes:
        overlay: The map of disagreement.
        contours: Each plane's own outline.
        doubt: The mark at the doubtful position.
        plot: The chart of the agreement slice by slice.
        fill: Hides the fill of the segment, which would hide the map.
        shows_contours: Whether each plane's outline is drawn.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._shown: tuple[Consistency, bool] | None = None
        self.overlay = DisagreementOverlay(scene)
        self.contours = PlaneContours(scene)
        self.doubt = DoubtMark(scene)
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
        doubtful: Position | None,
    ) -> None:
        """Show the result for a segment; nothing is done twice.

        Args:
            volume_node: The volume's node.
            geometry: Its grid.
            consistency: The result.
            segmentation_node: The segmentation.
            segment_id: The segment, which is drawn without its fill meanwhile.
            doubtful: Where a click would help most, in RAS millimetres; None if nowhere.
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
        if doubtful is None:
            self.doubt.clear()
        else:
            self.doubt.show(doubtful)

    def clear(self) -> None:
        """Remove everything from the scene, and restore the slice views."""
        self._shown = None
        for part in (self.overlay, self.contours, self.doubt, self.plot):
            part.clear()
        self.fill.restore()

    def mend(self) -> None:
        """Repair a scene that was loaded and had been saved while something was shown."""
        self.overlay.mend()
        self.fill.mend()

    def give_back(self) -> None:
        """Give the display of the user's nodes back: the scene is being saved."""
        self.overlay.give_back()
        self.fill.give_back()

    def take_up(self) -> None:
        """Change it again."""
        self.overlay.take_up()
        self.fill.take_up()

    def jump(self, position_ras: Position) -> None:
        """Move crosshair and slice views to a place in RAS millimetres."""
        jump_to(self._scene, position_ras)


def position_of(spot: HotSpot, geometry: Geometry) -> Position:
    """The place of a hot spot's click in RAS millimetres."""
    r, a, s = geometry.ras_from_ijk(spot.click_kji[::-1]).tolist()
    return r, a, s
