"""Slicer's views of the host's scene, rendered off screen and put into one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_NAMES = ("Red", "ThreeD", "Green", "Yellow")


class FourUp:
    """Axial, 3D, coronal and sagittal view, as in Slicer's four-up layout.

    size: width and height of each in pixels.
    """

    def __init__(self, core: Any, size: tuple[int, int] = (400, 330)) -> None:
        from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition

        self._core = core
        core.view_manager.register_factory(DirectViewFactory(do_render_offscreen=True))
        layouts = (
            ViewLayoutDefinition.axial_view(),
            ViewLayoutDefinition.threed_view(),
            ViewLayoutDefinition.coronal_view(),
            ViewLayoutDefinition.sagittal_view(),
        )
        views = [core.view_manager.create_view(layout) for layout in layouts]
        self.views = [getattr(view, "slicer_view", view) for view in views]
        core.view_manager.set_current_view_ids([layout.singleton_tag for layout in layouts])
        for view in self.views:
            view.render_window().SetSize(*size)
            _render_on_demand(view)

    def show(self, volume_node: Any, center_ras: tuple[float, float, float]) -> None:
        """Show a volume, its slices through a place."""
        import slicer

        # In the slices alone: a volume rendered without a GPU takes minutes.
        display = self._core.display_manager
        display.show_volume_in_slice_background(volume_node)
        display.show_volume_in_slice_foreground(None)
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._core.scene, *center_ras)
        for view in self.views:
            # A slice view learns the size of its window here alone: without, it draws the image at
            # another place than the handles of markups.
            view.fit_view_to_content()
            view.render_window().Render()
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._core.scene, *center_ras)

    def zoom(self, center_ras: tuple[float, float, float], factor: float) -> None:
        """Bring the slice views nearer to a place."""
        import slicer

        centered = slicer.vtkMRMLSliceNode.CenteredJumpSlice
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._core.scene, *center_ras, centered)
        for n in range(self._core.scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
            node = self._core.scene.GetNthNodeByClass(n, "vtkMRMLSliceNode")
            width, height, depth = node.GetFieldOfView()
            node.SetFieldOfView(width / factor, height / factor, depth)

    def photograph(self, path: Path) -> None:
        """Save all four in one PNG."""
        pixels = [_pixels(view.render_window()) for view in self.views]
        _save([pixels[:2], pixels[2:]], path)
        _shrink(path)


class ModelRows:
    """The views of a comparison of models, as its layout has them; make them before it begins.

    count: how many models. size: of each view in pixels.
    """

    def __init__(self, core: Any, count: int, size: tuple[int, int] = (270, 210)) -> None:
        from trame_slicer.views import ViewLayoutDefinition, ViewProps, ViewType

        from MedSegFMLib.mrml.comparison.row_layout import ORIENTATIONS, view_tag

        layouts = [
            ViewLayoutDefinition(
                view_tag(row, orientation), ViewType.SLICE_VIEW, ViewProps(orientation=orientation)
            )
            for row in range(count)
            for orientation in ORIENTATIONS
        ]
        # They stay with the views that are there already.
        shown = core.view_manager.get_current_view_ids()
        self.views = [core.view_manager.create_view(layout) for layout in layouts]
        core.view_manager.set_current_view_ids([*shown, *(n.singleton_tag for n in layouts)])
        for view in self.views:
            view.render_window().SetSize(*size)
            _render_on_demand(view)
            view._update_slice_size()

    def photograph(self, path: Path) -> None:
        """Save all in one PNG, each row with the name that Slicer has above its views."""
        from PySide6.QtGui import QColor, QFont, QImage, QPainter

        for view in self.views:
            view.render_window().Render()
        pixels = [_pixels(view.render_window()) for view in self.views]
        _save([pixels[n : n + 3] for n in range(0, len(pixels), 3)], path)
        picture = QImage(str(path))
        painter = QPainter(picture)
        painter.setFont(QFont("sans", 10))
        for n, view in enumerate(self.views[::3]):
            node = view.get_view_node()
            top, name = n * pixels[0].shape[0], node.GetLayoutLabel()
            width = painter.fontMetrics().horizontalAdvance(name)
            painter.fillRect(1, top + 1, width + 14, 22, QColor("black"))
            painter.setPen(QColor.fromRgbF(*node.GetLayoutColor()))
            painter.drawText(8, top + 18, name)
        painter.end()
        picture.save(str(path))
        _shrink(path)


def _render_on_demand(view: Any) -> None:
    """Render when a photograph is taken, not at each change of the scene."""
    from trame_slicer.views import render_scheduler

    view.set_scheduled_render(render_scheduler.NoScheduleRendering())


def _save(rows: list[list[np.ndarray]], path: Path) -> None:
    from PySide6.QtGui import QImage

    picture = np.ascontiguousarray(np.vstack([np.hstack(row) for row in rows]))
    height, width, _ = picture.shape
    QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888).save(str(path))


def _shrink(path: Path) -> None:
    """Keep the 256 colours that matter most: a third of the bytes is saved, and nothing is seen."""
    from PIL import Image

    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def _pixels(window: Any) -> np.ndarray:
    """(height, width, 3) uint8: what a render window shows, with a line around it."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

    window.Render()
    grabber = vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    grabber.Update()
    image = grabber.GetOutput()
    width, height, _ = image.GetDimensions()
    flat = vtk_to_numpy(image.GetPointData().GetScalars())
    found = np.ascontiguousarray(flat.reshape(height, width, -1)[::-1, :, :3])
    found[[0, -1]] = found[:, [0, -1]] = 90
    return found
