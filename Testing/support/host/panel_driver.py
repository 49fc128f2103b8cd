"""A user in front of the panel, for tests and for the photographs in the guide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from held_gil import HeldLoop
from waiting import GENEROUS_SECONDS

PANEL_PIXELS = 400


class Dialogs:
    """Answers what the panel asks with files; nothing pops up."""

    path = ""
    folder = ""
    # What was asked for last, and the answer: None cancels.
    asked: tuple[str, ...] = ()
    values: dict[str, str] | None = None

    def open_file(self, _title: str) -> str:
        return self.path

    def open_folder(self, _title: str) -> str:
        return self.path

    def save_file(self, _title: str, _name: str, _kinds: str | None = None) -> str:
        return self.path

    def ask_options(self, _title: str, options: Any) -> dict[str, str] | None:
        self.asked = tuple(option.name for option in options)
        return self.values

    def show_folder(self, path: str) -> None:
        self.folder = path

    def load_volume(self) -> None: ...


class Desk:
    """A user in front of the panel: clicks, waits, and looks."""

    # Slicer has one widget of a module for its life, so nothing of a closed one is collected.
    _closed: list[Any] = []  # noqa: RUF012

    def __init__(self, module: Any) -> None:
        from host import application

        self._module = module
        # The clients of workers, the latest last.
        self.clients: list[Any] = []
        self._sit_down(application.open_panel(module))

    def _sit_down(self, widget: Any) -> None:
        self.widget = widget
        self.panel, self.ui = widget.panel, widget.ui
        self.use_client(self.panel.logic.requests.make_client)
        self.panel.dialogs = self.panel.models._dialogs = Dialogs()

    def reload(self) -> None:
        """Click *Reload* in Slicer's developer mode."""
        import sys

        from host import application

        self._closed.append(self.widget)
        widget = application.reload_panel(self._module)
        self._module = sys.modules[self._module.__name__]
        self._sit_down(widget)

    def use_client(self, make_client: Callable[[str], Any]) -> None:
        """Have the next worker's client made like this, and keep it in `clients`."""

        def make(host: str) -> Any:
            self.clients.append(make_client(host))
            return self.clients[-1]

        self.panel.logic.requests.make_client = make

    def wait(
        self, until: Callable[[], bool] | None = None, seconds: float = GENEROUS_SECONDS
    ) -> None:
        """Let the timer run until something is so; without, until no answer is awaited.

        Python's lock is held between the ticks, as Slicer's event loop does.
        """
        import slicer

        is_so = until or (lambda: not self.panel.logic.is_predicting)
        self.panel.pump()
        # More often than the panel's timer: the user moves the mouse.
        loop = HeldLoop(slicer.app.processEvents, period_seconds=0.02)
        loop.run_until(is_so, seconds, lambda: f"nothing came of it: {self.ui.statusLabel.text}")
        self.panel.refresh()

    def load(self, shape: tuple[int, int, int] = (24, 30, 34), noise: float = 10) -> Any:
        """Load a small volume with a bright ball of radius 7 in its middle; its contrast is 260."""
        import slicer

        k, j, i = np.indices(shape)
        middle = [n // 2 for n in shape]
        ball = (k - middle[0]) ** 2 + (j - middle[1]) ** 2 + (i - middle[2]) ** 2 <= 49
        grain = np.random.default_rng(0).normal(0, noise, shape)
        voxels = (np.where(ball, 300, 40) + grain).astype(np.int16)
        node = slicer.util.addVolumeFromArray(voxels, np.diag([1.0, 1.0, 1.5, 1.0]), "Ball")
        self.wait()
        self.ball = ball
        return node

    def draw_box(self, low: tuple[float, float, float], high: tuple[float, float, float]) -> None:
        """Click Box, then two corners in RAS millimetres in the views."""
        import slicer

        self.ui.boxButton.click()
        selection = slicer.app.applicationLogic().GetSelectionNode()
        roi = slicer.mrmlScene.GetNodeByID(selection.GetActivePlaceNodeID())
        roi.AddControlPointWorld(*low)
        roi.AddControlPointWorld(*high)
        self.leave_place_mode()

    def click_in_view(self, place: tuple[float, float, float]) -> None:
        """Place a control point, as a click in a slice view does in place mode."""
        import slicer

        selection = slicer.app.applicationLogic().GetSelectionNode()
        node = slicer.mrmlScene.GetNodeByID(selection.GetActivePlaceNodeID())
        node.AddControlPointWorld(*place)

    def leave_place_mode(self) -> None:
        """As the views do when a shape is complete."""
        import slicer

        interaction = slicer.app.applicationLogic().GetInteractionNode()
        interaction.SetCurrentInteractionMode(interaction.ViewTransform)

    def box_the_ball(self) -> None:
        """Draw a box around the ball and wait for its segment."""
        self.draw_box((8, 6, 6), (26, 24, 30))
        self.wait(lambda: bool(self.panel.logic.prompts.entries))
        self.wait()

    def segment_names(self) -> list[str]:
        """The names in the list of segments."""
        table = self._segments()
        return [table.item(row, 2).text() for row in range(table.rowCount)]

    def select_segment(self, name: str) -> None:
        """Click on a segment in the list."""
        self._segments().selectRow(self.segment_names().index(name))
        self.wait()

    def selected_segment(self) -> str:
        """The name of the segment that is selected in the list."""
        table = self._segments()
        rows = table.selectionModel().selectedRows()
        return table.item(rows[0].row(), 2).text() if rows else ""

    def _segments(self) -> Any:
        from PySide6.QtWidgets import QTableWidget

        return self.ui.segmentEditor.findChild(QTableWidget, "SegmentsTableView")

    def mask(self, label: int = 1) -> Any:
        """The segment on the volume's grid, bool (k, j, i)."""
        import slicer

        logic = self.panel.logic
        found = slicer.util.arrayFromSegmentBinaryLabelmap(
            logic.segments.node, logic.segments.ids[label], logic.volume_node
        )
        return found > 0 if found is not None and found.size else np.zeros(self.ball.shape, bool)

    def show(self) -> None:
        """Lay the panel out in the width that it must fit in, as high as it needs."""
        import slicer

        parent = self.widget.parent
        parent.show()
        for _ in range(3):
            parent.resize(PANEL_PIXELS, parent.layout().sizeHint().height())
            slicer.app.processEvents()

    def photograph(self, path: Path) -> None:
        """Save what the panel looks like."""
        self.show()
        self.widget.parent.grab().save(str(path))

    def close(self) -> None:
        """Slicer unloads the module."""
        import slicer

        self._closed.append(self.widget)
        self.widget.parent.exit()
        self.widget.cleanup()
        self.widget.parent.deleteLater()
        slicer.app.processEvents()
