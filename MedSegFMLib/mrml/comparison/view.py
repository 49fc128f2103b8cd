"""A comparison of models in the scene: rows of views or outlines, disagreement map, and table."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..consistency.overlay import DisagreementOverlay
from ..consistency.segment_fill import SegmentFill
from .comparison import ModelComparison
from .outlines import MODEL_COLORS, ModelOutlines
from .requests import Subject
from .results import around
from .row_layout import ModelRows
from .table import TableNode, table_of

Arrangement = Literal["rows", "outlines"]


class ModelComparisonView:
    """Shows a comparison while it runs and after it; call `update` when it has changed.

    Args:
        scene: The vtkMRMLScene.
        comparison: The comparison.

    Attributes:
        outlines: The segmentations with the models' answers.
        rows: The layout with a row for each model.
        overlay: The map of the models' disagreement.
        fill: Hides the fill of the user's own segment.
        table: The table in the scene.
        arrangement: Whether each model has a row of views, or all are outlines in the user's views.
        shows_map: Whether the map of disagreement is shown.
        hidden: The models that are not drawn.
        label: The object that is shown.
    """

    def __init__(self, scene: Any, comparison: ModelComparison) -> None:
        self._scene = scene
        self._comparison = comparison
        self._subject: Subject | None = None
        self._arranged: tuple[Any, ...] | None = None
        self._row_views: list[list[str]] = []
        self._framed = 0
        self._mapped: Any = None
        self.outlines = ModelOutlines(scene)
        self.rows = ModelRows(scene)
        self.overlay = DisagreementOverlay(scene, "Models")
        self.fill = SegmentFill(scene)
        self.table = TableNode(scene)
        self.arrangement: Arrangement = "rows"
        self.shows_map = False
        self.hidden: frozenset[str] = frozenset()
        self.label = 0

    def update(self) -> None:
        """Bring the scene to the current state of the comparison."""
        comparison, subject = self._comparison, self._comparison.subject
        if subject is not self._subject:
            self.clear()
            self._subject = subject
            if subject is not None:
                self.label = subject.labels[0]
                self.table.begin(f"Models on {subject.volume_node.GetName()}")
        if subject is None:
            return
        for n, found in enumerate(comparison.results):
            if found.cost is not None:
                self.outlines.show(
                    subject.volume_node, found.model, found.title, MODEL_COLORS[n], found.masks
                )
        self._hollow()
        self._arrange(subject)
        self._show_map(subject)
        self.table.show(table_of(comparison))

    def clear(self) -> None:
        """Remove everything but the table from the scene; the user's layout is restored."""
        self.outlines.clear()
        self.overlay.clear()
        self.fill.restore()
        self.rows.restore()
        self._subject = self._arranged = self._mapped = None
        self._framed = 0
        self.hidden = frozenset()

    def mend(self) -> None:
        """Repair a scene that was loaded and had been saved while a comparison was shown."""
        if self._subject is None:
            self.overlay.mend()
            self.fill.mend()
            self.rows.restore()

    def give_back(self) -> None:
        """Give layout and display of the user's nodes back: the scene is being saved."""
        for part in (self.overlay, self.fill, self.rows):
            part.give_back()

    def take_up(self) -> None:
        """Change them again."""
        for part in (self.overlay, self.fill, self.rows):
            part.take_up()

    def _hollow(self) -> None:
        """Draw the user's own segment of the object as an outline, which hides no result."""
        own = self._comparison.own_segment(self.label)
        if own is None:
            self.fill.restore()
        else:
            self.fill.hollow(*own)

    def _arrange(self, subject: Subject) -> None:
        results = self._comparison.results
        answered = tuple(found.model for found in results if found.cost is not None)
        wanted = (self.arrangement, self.label, self.hidden, answered)
        if wanted != self._arranged:
            in_rows = self.arrangement == "rows"
            if in_rows and (self._arranged is None or self._arranged[0] != "rows"):
                titles = [found.title for found in results]
                self._row_views = self.rows.show(
                    titles, MODEL_COLORS[: len(titles)], subject.volume_node
                )
                self._framed = 0
            elif not in_rows:
                self.rows.restore()
            for n, found in enumerate(results):
                self.outlines.place(found.model, self._row_views[n] if in_rows else (), in_rows)
                self.outlines.set_visible(found.model, found.model not in self.hidden)
            self.outlines.show_label(self.label)
            if self._arranged is not None and self._arranged[1] != self.label:
                self._framed = 0
            self._arranged = wanted
        if self.arrangement == "rows" and answered and self._framed < 2:
            # Views that a layout has just made learn their size with the next event.
            self._framed += 1
            self._frame(subject)

    def _frame(self, subject: Subject) -> None:
        masks = [r.masks[self.label] for r in self._comparison.results if self.label in r.masks]
        region = around(masks)
        if region is None:
            return
        grid = subject.volume.geometry.crop(region)
        corners = grid.ras_from_ijk(grid.corners_ijk())
        low, high = corners.min(axis=0), corners.max(axis=0)
        self.rows.frame(((low + high) / 2).tolist(), float(np.max(high - low)))

    def _show_map(self, subject: Subject) -> None:
        found = self._comparison.scoring.disagreement(self.label) if self.shows_map else None
        if found is None:
            if not self.shows_map:
                self.overlay.clear()
                self._mapped = None
            return
        if found is not self._mapped:
            self._mapped = found
            self.overlay.show(subject.volume_node, *found)
        else:
            self.overlay.enter_new_views()
