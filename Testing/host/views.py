"""Slicer's four views of the host's scene, rendered off screen and put into one picture."""

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

    def show(self, volume_node: Any, center_ras: tuple[float, float, float]) -> None:
        """Show a volume, its slices through a place."""
        import slicer

        self._core.display_manager.show_volume(volume_node)
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
        from PySide6.QtGui import QImage

        pixels = [_pixels(view.render_window()) for view in self.views]
        top, bottom = (np.hstack(pair) for pair in (pixels[:2], pixels[2:]))
        picture = np.ascontiguousarray(np.vstack((top, bottom)))
        height, width, _ = picture.shape
        QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888).save(str(path))


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
