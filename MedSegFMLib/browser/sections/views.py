"""The views: layout, slices, window, and how segments are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from ...errors import PageError
from ...mrml.nodes.transforms import to_numpy
from ...mrml.words.translation import tr as _
from ...volumes.windows import AUTO, Window, named_window, window_names
from .. import pointer
from ..fields import Message, choice, flag, number, text, whole
from ..slicer_core import SLICES, VIEWS
from ..view_image import ViewImage
from ..volume_nodes import set_window, window_of
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

LAYOUTS = ("four", *VIEWS)
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
        images: The views' images by name.
    """

    name = "views"

    def __init__(self, desk: Desk, images: Mapping[str, ViewImage]) -> None:
        self._desk, self._images = desk, images
        self._layout = "four"
        self._adjusts_window = False

    @property
    def visible(self) -> list[ViewImage]:
        """The views of the layout."""
        names = VIEWS if self._layout == "four" else (self._layout,)
        return [self._images[name] for name in names]

    def show(self, node: Any) -> None:
        """Show a volume with its segments alone, slices along the volume's own axes."""
        display = self._desk.app.display_manager
        display.show_volume_in_slice_background(node)
        display.show_volume_in_slice_foreground(None)
        for name in SLICES:
            self._images[name].view.get_view_node().RotateToVolumePlane(node)
        own = self._desk.logic.segments.node
        for other in _segmentations(self._desk.scene):
            other.SetDisplayVisibility(other is own)
        self.fit()

    def fit(self) -> None:
        """Bring the whole volume into each view."""
        for image in self._images.values():
            image.view.fit_view_to_content()
            image.has_changed = True

    def look_at_segments(self) -> None:
        """Turn the camera to the segments, the first time that there are any."""
        self._images["threed"].view.fit_view_to_content()

    def state(self) -> State:
        """See `Section`."""
        node = self._desk.logic.volume_node
        width, level = (0.0, 0.0) if node is None else window_of(node)
        return {
            "layout": self._layout,
            "views": [self._view(name) for name in VIEWS],
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
        return self._images[VIEWS[whole(message, "view", 0, len(VIEWS) - 1)]]

    def _view(self, name: str) -> State:
        image = self._images[name]
        found: State = {"name": name, "title": _TITLES[name]}
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

    def _set_layout(self, message: Message) -> None:
        self._layout = choice(message, "layout", LAYOUTS)

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
        self._image(message).resize(
            whole(message, "width", 1, 10_000), whole(message, "height", 1, 10_000)
        )

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
