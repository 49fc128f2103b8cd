"""Slicer's scene, logic and views without the desktop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import slicer
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition, ViewProps, ViewType
from trame_slicer.views.render_scheduler import ScheduledRenderStrategy
from vtkmodules.vtkCommonCore import vtkObject

from ..mrml.comparison.row_layout import ORIENTATIONS, view_tag
from .view_image import ViewImage

SLICES = ("axial", "coronal", "sagittal")
VIEWS = (*SLICES, "threed")
_SMOOTH_EDGES = 4


class _Noted(ScheduledRenderStrategy):  # type: ignore[misc]
    """Notes that a view has changed, instead of rendering it."""

    def __init__(self, note: Callable[[str], None], name: str) -> None:
        super().__init__()
        self._note, self._name = note, name

    def schedule_render(self) -> None:
        """Note the change."""
        self._note(self._name)


@cache
def application() -> Any:
    """The SlicerApp of this process; its scene is Slicer's."""
    app = SlicerApp()
    slicer.mrmlScene = app.scene
    slicer.modules = vars(slicer).get("modules") or SimpleNamespace()
    return app


class Views:
    """Slicer's views, rendered off screen when an image is needed.

    Args:
        app: The SlicerApp.
        note: Called with the name of a view that has changed.

    Attributes:
        images: The views' images by name, in the order of their numbers.
    """

    def __init__(self, app: Any, note: Callable[[str], None]) -> None:
        self._manager, self._note = app.view_manager, note
        self._manager.register_factory(DirectViewFactory(do_render_offscreen=True))
        self._tags: list[str] = []
        self.images: dict[str, ViewImage] = {}
        self.add("axial", ViewLayoutDefinition.axial_view())
        self.add("coronal", ViewLayoutDefinition.coronal_view())
        self.add("sagittal", ViewLayoutDefinition.sagittal_view())
        colors = ("#101214", "#1b1f23")
        self.add("threed", ViewLayoutDefinition.threed_view(background_color=colors))

    def add_row(self, row: int) -> None:
        """Add the slice views of a model in a comparison, unless they are there."""
        for orientation in ORIENTATIONS:
            name = f"{row}-{orientation}"
            if name not in self.images:
                properties = ViewProps(orientation=orientation)
                tag = view_tag(row, orientation)
                self.add(name, ViewLayoutDefinition(tag, ViewType.SLICE_VIEW, properties))

    def add(self, name: str, layout: ViewLayoutDefinition) -> None:
        """Add a view."""
        # Views observe an event that VTK announces the end of, a warning for each.
        shown = vtkObject.GetGlobalWarningDisplay()
        vtkObject.SetGlobalWarningDisplay(0)
        try:
            view = self._manager.create_view(layout)
        finally:
            vtkObject.SetGlobalWarningDisplay(shown)
        self._tags.append(layout.singleton_tag)
        self._manager.set_current_view_ids(self._tags)
        self.images[name] = ViewImage(len(self.images), view)
        view.set_scheduled_render(_Noted(self._note, name))
        view.render_window().SetMultiSamples(_SMOOTH_EDGES if name == "threed" else 0)
