"""One view as encoded images: rendered when it has changed and a page waits for it."""

from __future__ import annotations

import io
import struct
from collections import OrderedDict
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray
from slicer import vtkMRMLLayerDisplayableManager
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData

from ..mrml.nodes.transforms import to_numpy
from ..volumes.geometry import Matrix

# While things move, images are small; an image that stays is sent again without loss.
_MOVING_QUALITY = 80
_FAST_COMPRESSION = 1
# A drawing names the image that it was made on; it is not older than these.
_REMEMBERED = 240
_SMALLEST, _LARGEST = 64, 2400
JPEG, PNG = 0, 1
# View, format, width, height, number of the image.
HEADER = struct.Struct(">BBHHI")


class ViewImage:
    """The newest image of a view.

    Args:
        index: The view's number in messages.
        view: The trame-slicer view.

    Attributes:
        index: As given.
        view: As given.
        has_changed: Whether the view has changed since it was rendered.
        number: The number of the newest image; 0 before the first.
        data: The newest image with its header.
    """

    def __init__(self, index: int, view: Any) -> None:
        self.index, self.view = index, view
        self.has_changed = True
        self.number = 0
        self.data = b""
        self._fitted: tuple[float, ...] = ()
        self._pixels: NDArray[np.uint8] | None = None
        self._is_still = False
        self._rendered_at = 0.0
        self._buffer = vtkImageData()
        self._places: OrderedDict[int, Matrix] = OrderedDict()

    @property
    def is_slice(self) -> bool:
        """Whether it is a slice view."""
        return hasattr(self.view, "get_slice_value")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = self.view.render_window().GetSize()
        return int(width), int(height)

    def resize(self, width: int, height: int) -> None:
        """Render with this size from now on."""
        wanted = tuple(min(max(side, _SMALLEST), _LARGEST) for side in (width, height))
        if wanted == self.size:
            return
        self.view.render_window().SetSize(*wanted)
        if self.is_slice:
            node = self.view.get_view_node()
            before = node.GetFieldOfView()
            self.view._logic.ResizeSliceNode(*wanted)
            if before == self._fitted:
                self.fit()
            else:
                _keep_scale(node, before, wanted)
        self.has_changed = True

    def fit(self) -> None:
        """Show the whole volume on the present slice; also after a resize, until it is zoomed."""
        if self.is_slice:
            at = self.view.get_slice_value()
            self.view.fit_view_to_content()
            self.view.set_slice_value(at)
            self._fitted = self.view.get_view_node().GetFieldOfView()
        else:
            self.view.fit_view_to_content()
        self.has_changed = True

    def update(self, still_seconds: float) -> bool:
        """Render if the view has changed; encode without loss if it has not for a while.

        Args:
            still_seconds: How long it must not have changed for that.

        Returns:
            Whether the image is another one now.
        """
        if self.has_changed:
            self.has_changed = False
            self._pixels = self._render()
            self._is_still = False
            self._encode(JPEG)
            self._rendered_at = monotonic()
            return True
        if self._is_still or monotonic() - self._rendered_at < still_seconds:
            return False
        self._is_still = True
        self._encode(PNG)
        return True

    def pixels_to_ras(self, number: int) -> Matrix | None:
        """(4, 4): from pixels (x, y, 0, 1) of an image, y downwards, to RAS millimetres.

        None for a view that is no slice, and an image that is too old.
        """
        return self._places.get(number)

    def _render(self) -> NDArray[np.uint8]:
        """(height, width, 3), the first row on top."""
        window = self.view.render_window()
        window.Render()
        vtkMRMLLayerDisplayableManager.RenderWindowBufferToImage(window, self._buffer)
        width, height, _ = self._buffer.GetDimensions()
        flat = vtk_to_numpy(self._buffer.GetPointData().GetScalars())
        return np.ascontiguousarray(flat.reshape(height, width, -1)[::-1, :, :3])

    def _encode(self, kind: int) -> None:
        from PIL import Image

        assert self._pixels is not None, "it was rendered before"
        height, width = self._pixels.shape[:2]
        file = io.BytesIO()
        if kind == JPEG:
            Image.fromarray(self._pixels).save(file, "JPEG", quality=_MOVING_QUALITY)
        else:
            Image.fromarray(self._pixels).save(file, "PNG", compress_level=_FAST_COMPRESSION)
        self.number += 1
        self.data = HEADER.pack(self.index, kind, width, height, self.number) + file.getvalue()
        if self.is_slice:
            upwards = to_numpy(self.view.get_view_node().GetXYToRAS())
            downwards = np.diag([1.0, -1.0, 1.0, 1.0])
            downwards[1, 3] = height - 1
            self._places[self.number] = upwards @ downwards
            while len(self._places) > _REMEMBERED:
                self._places.popitem(last=False)


def _keep_scale(node: Any, before: tuple[float, ...], size: tuple[int, ...]) -> None:
    """Show the same part of the patient as before, and more of it along one axis."""
    width, height = before[0], before[1]
    if min(width, height) <= 0:
        return
    scale = max(width / size[0], height / size[1])
    node.SetFieldOfView(scale * size[0], scale * size[1], before[2])
