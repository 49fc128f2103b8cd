"""The views: layout, slices, window, and how segments are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from ...errors import PageError
from ...mrml.comparison.row_layout import ORIENTATIONS
from ...mrml.nodes.transforms import to_numpy
from ...mrml.nodes.volume_nodes import set_window, window_of
from ...mrml.words.translation import tr as _
from ...volumes.geometry import Geometry
from ...volumes.windows import AUTO, Window, named_window, window_names
from .. import pointer
from ..fields import Message, choice, flag, number, text, whole
from ..slicer_core import SLICES, VIEWS, Views
from ..view_image import ViewImage
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

LAYOUTS = ("four", *VIEWS, "models")
_TITLES = {
    "axial": _("Axial"),
    "coronal": _("Coronal"),
    "sagittal": _("Sagittal"),
    "threed": _("3D"),
}
# Where a direction in RAS leads.
_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))


class ViewsSection:
    """Shows the volume in four views.

    Args:
        desk: The work.
        views: The views.
    """

    name = "views"

    def __init__(self, desk: Desk, views: Views) -> None:
        self._desk, self._views, self._images = desk, views, views.images
        self._models: list[str] = []
        self._before_models = "four"
        self._layout = "four"
        self._adjusts_window = False
        self._used: ViewImage | None = None

    @property
    def visible(self) -> list[ViewImage]:
        """The views of the layout."""
        if self._layout == "models":
            return [self._images[name] for name in self._model_views()]
        names = VIEWS if self._layout == "four" else (self._layout,)
        return [self._images[name] for name in names]

    @property
    def by_use(self) -> list[ViewImage]:
        """The views of the layout, the one that was used last first, which the user looks at."""
        return sorted(self.visible, key=lambda image: image is not self._used)

    def show_models(self, titles: list[str]) -> None:
        """Show a row of slices for each model of a comparison; [] for the layout before.

        Args:
            titles: The titles of the models.
        """
        if titles == self._models:
            return
        for row in range(len(titles)):
            self._views.add_row(row)
        if titles and self._layout != "models":
            self._before_models, self._layout = self._layout, "models"
        elif not titles and self._layout == "models":
            self._layout = self._before_models
        self._models = titles

    def _model_views(self) -> list[str]:
        return [f"{row}-{name}" for row in range(len(self._models)) for name in ORIENTATIONS]

    def show(self, node: Any) -> None:
        """Show a volume with its segments alone, slices along the volume's own axes."""
        display = self._desk.app.display_manager
        display.show_volume_in_slice_background(node)
        display.show_volume_in_slice_foreground(None)
        for name in SLICES:
            view = self._images[name].view
            view.get_view_node().RotateToVolumePlane(node)
            # In the middle of the volume.
            view.fit_view_to_content()
        own = self._desk.logic.segments.node
        for other in _segmentations(self._desk.scene):
            other.SetDisplayVisibility(other is own)
        self.fit()

    def fit(self) -> None:
        """Bring the whole volume into each view."""
        for image in self._images.values():
            image.fit()

    def look_at_segments(self) -> None:
        """Turn the camera to the segments, the first time that there are any."""
        self._images["threed"].view.fit_view_to_content()

    def shown_slice(self, geometry: Geometry) -> int | None:
        """The index along k of the slice that the view across k shows; None outside the volume."""
        columns = geometry.ijk_to_ras[:3, :3]
        normal = np.cross(columns[:, 0], columns[:, 1])
        planes = [to_numpy(self._images[n].view.get_view_node().GetSliceToRAS()) for n in SLICES]
        plane = max(planes, key=lambda matrix: abs(float(matrix[:3, 2] @ normal)))
        index = round(float(geometry.ijk_from_ras(plane[:3, 3])[2]))
        return index if 0 <= index < geometry.shape_kji[0] else None

    def state(self) -> State:
        """See `Section`."""
        node = self._desk.logic.volume_node
        width, level = (0.0, 0.0) if node is None else window_of(node)
        return {
            "layout": self._layout,
            "views": [self._view(name) for name in self._images],
            "visible": [image.index for image in self.visible],
            "rows": len(self._models),
            "windows": [name for name in window_names() if name != AUTO],
            "width": round(width, 3),
            "level": round(level, 3),
            "adjustsWindow": self._adjusts_window,
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {
            "layout": self._set_layout,
            "slice": self._set_slice,
            "step": self._step,
            "size": self._resize,
            "pointer": lambda message: pointer.send(self._image(message), message),
            "window": self._set_window,
            "levels": self._set_levels,
            "adjustWindow": self._adjust_window,
            "fit": lambda _message: self.fit(),
        }

    def image_of(self, message: Message) -> ViewImage:
        """The view that a message names by its number."""
        return self._image(message)

    def _image(self, message: Message) -> ViewImage:
        images = list(self._images.values())
        self._used = images[whole(message, "view", 0, len(images) - 1)]
        return self._used

    def _view(self, name: str) -> State:
        image = self._images[name]
        found: State = {"name": name, "title": self._title(name)}
        if not image.is_slice or self._desk.logic.volume is None:
            return found | {"letters": [], "slices": 0}
        view, node = image.view, image.view.get_view_node()
        low, high = view.get_slice_range()
        step = view.get_slice_step() or 1.0
        count = round((high - low) / step) + 1
        at = round((view.get_slice_value() - low) / step)
        mm_wide = node.GetFieldOfView()[0]
        return found | {
            "letters": _edges(to_numpy(node.GetSliceToRAS())),
            "slices": count,
            "slice": min(max(at, 0), count - 1),
            "mmPerPixel": mm_wide / image.size[0],
            "width": image.size[0],
        }

    def _title(self, name: str) -> str:
        if name in _TITLES:
            return _TITLES[name]
        row, _dash, orientation = name.partition("-")
        model = self._models[int(row)] if int(row) < len(self._models) else ""
        return f"{model} · {_TITLES[orientation.lower()]}"

    def _set_layout(self, message: Message) -> None:
        wanted = choice(message, "layout", LAYOUTS)
        if wanted == "models" and not self._models:
            raise PageError(_("No models were compared; compare some first."))
        self._layout = wanted

    def _set_slice(self, message: Message) -> None:
        view = self._slice_view(message)
        low, high = view.get_slice_range()
        index = whole(message, "slice", 0, 1_000_000)
        view.set_slice_value(min(low + index * (view.get_slice_step() or 1.0), high))

    def _step(self, message: Message) -> None:
        view = self._slice_view(message)
        low, high = view.get_slice_range()
        steps = whole(message, "by", -10_000, 10_000)
        step = view.get_slice_step() or 1.0
        value = view.get_slice_value() + steps * step
        view.set_slice_value(min(max(value, low), high))

    def _slice_view(self, message: Message) -> Any:
        image = self._image(message)
        if not image.is_slice:
            raise PageError("The 3D view has no slices; choose another view.")
        return image.view

    def _resize(self, message: Message) -> None:
        used = self._used
        self._image(message).resize(
            whole(message, "width", 1, 10_000), whole(message, "height", 1, 10_000)
        )
        # The page resizes all views by itself.
        self._used = used

    def _set_window(self, message: Message) -> None:
        set_window(self._volume_node(), named_window(text(message, "window")))

    def _set_levels(self, message: Message) -> None:
        width, level = number(message, "width", 1e-6), number(message, "level")
        set_window(self._volume_node(), Window.of_level(level, width))

    def _adjust_window(self, message: Message) -> None:
        """Have a drag change the window, as Slicer's mouse mode does."""
        self._adjusts_window = flag(message, "on")
        interaction = self._desk.app.app_logic.GetInteractionNode()
        node = slicer.vtkMRMLInteractionNode
        mode = node.AdjustWindowLevel if self._adjusts_window else node.ViewTransform
        interaction.SetCurrentInteractionMode(mode)

    def _volume_node(self) -> Any:
        node = self._desk.logic.volume_node
        if node is None:
            raise PageError("No volume is shown; load one first.")
        return node


def _segmentations(scene: Any) -> list[Any]:
    name = "vtkMRMLSegmentationNode"
    count = scene.GetNumberOfNodesByClass(name)
    return [scene.GetNthNodeByClass(n, name) for n in range(count)]


def _edges(slice_to_ras: Any) -> list[str]:
    """The letters at the left, right, upper and lower edge of a slice."""
    right, up = _letters(slice_to_ras[:3, 0]), _letters(slice_to_ras[:3, 1])
    return [right[1], right[0], up[0], up[1]]


def _letters(direction: Any) -> tuple[str, str]:
    """The letter of where a direction leads, and of the opposite."""
    axis = int(np.argmax(np.abs(direction)))
    towards, away = _LETTERS[axis]
    return (towards, away) if direction[axis] > 0 else (away, towards)
