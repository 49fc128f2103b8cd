"""Slicer's scene, logic and views without the desktop; one for the process, as MRML has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import slicer
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition
from trame_slicer.views.render_scheduler import ScheduledRenderStrategy
from vtkmodules.vtkCommonCore import vtkObject

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


def make_views(app: Any, note: Callable[[str], None]) -> dict[str, Any]:
    """Slicer's four views, rendered off screen when an image is needed.

    Args:
        app: The SlicerApp.
        note: Called with the name of a view that has changed.
    """
    manager = app.view_manager
    manager.register_factory(DirectViewFactory(do_render_offscreen=True))
    layouts = {
        "axial": ViewLayoutDefinition.axial_view(),
        "coronal": ViewLayoutDefinition.coronal_view(),
        "sagittal": ViewLayoutDefinition.sagittal_view(),
        "threed": ViewLayoutDefinition.threed_view(background_color=("#101214", "#1b1f23")),
    }
    # The views observe an event that VTK announces the end of, a warning for each.
    shown = vtkObject.GetGlobalWarningDisplay()
    vtkObject.SetGlobalWarningDisplay(0)
    try:
        views = {name: manager.create_view(layout) for name, layout in layouts.items()}
    finally:
        vtkObject.SetGlobalWarningDisplay(shown)
    manager.set_current_view_ids([layout.singleton_tag for layout in layouts.values()])
    for name, view in views.items():
        view.set_scheduled_render(_Noted(note, name))
        view.render_window().SetMultiSamples(_SMOOTH_EDGES if name == "threed" else 0)
    return views
