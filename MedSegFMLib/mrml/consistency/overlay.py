"""Disagreement, of a model's planes or between models, as colours over the slice views."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData

from ...volumes.region import Region
from ..nodes.hidden_nodes import add_display, add_helper, is_in, remove
from ..nodes.transforms import to_numpy, to_vtk
from .slice_foreground import SliceForeground

_CLASS, _TAG = "vtkMRMLScalarVolumeNode", "MedSegFMDisagreement"
_OPACITY = 0.6
# Less disagreement than this is not shown.
_LEAST = 0.05
# The Inferno map without its darkest quarter, as in the figure: lightness rises evenly. (R, G, B)
# at 0, 1/4, 1/2, 3/4 and 1.
COLORS = (
    (0.342, 0.062, 0.429),
    (0.610, 0.163, 0.392),
    (0.850, 0.303, 0.265),
    (0.976, 0.557, 0.035),
    (0.988, 0.998, 0.645),
)
_STEPS = 256


class DisagreementOverlay:
    """A volume that is the foreground of the slice views, and in the scene only while it is shown.

    Args:
        scene: The vtkMRMLScene.
        kind: "" for the overlay of the planes; each other kind has nodes of its own. Views show one
            kind at a time, the one that was shown first.

    Attributes:
        node: The vtkMRMLScalarVolumeNode; None while nothing is shown.
    """

    def __init__(self, scene: Any, kind: str = "") -> None:
        self._scene = scene
        self._tag = _TAG + kind
        self._colors: Any | None = None
        self._foreground = SliceForeground(scene, _OPACITY)
        self.node: Any | None = None

    def show(self, volume_node: Any, region: Region, map_kji: NDArray[np.float32]) -> None:
        """Show a map over a volume, under its parent transform.

        Args:
            volume_node: The volume.
            region: The part of the volume that the map covers.
            map_kji: float32, 0 to 1, (K, J, I) of the region.
        """
        if not is_in(self._scene, self.node):
            self._make()
        node = self.node
        assert node is not None, "it was just made"
        was_modified = node.StartModify()
        node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        node.SetIJKToRASMatrix(_matrix_of(volume_node, region))
        node.SetAndObserveImageData(_image(map_kji))
        node.EndModify(was_modified)
        self._foreground.show(node.GetID())

    def enter_new_views(self) -> None:
        """Show it also in slice views that were added since, with another layout."""
        if is_in(self._scene, self.node):
            self._foreground.show(self.node.GetID())  # type: ignore[union-attr]

    def clear(self) -> None:
        """Remove it, and restore what the slice views showed before."""
        if self.node is not None:
            self._foreground.restore(self.node.GetID())
        remove(self._scene, self.node, self._colors)
        self.node = self._colors = None

    def give_back(self) -> None:
        """Show quietly what the slice views showed before: the scene is being saved."""
        if is_in(self._scene, self.node):
            self._foreground.give_back(self.node.GetID())  # type: ignore[union-attr]

    def take_up(self) -> None:
        """Show it again."""
        self._foreground.take_up()

    def mend(self) -> None:
        """Restore the views of a scene that was loaded and had been saved while this was shown."""
        if self.node is None:
            self._foreground.restore(f"{_CLASS}{self._tag}")

    def _make(self) -> None:
        self.clear()
        self._colors = _color_table(self._scene)
        self.node = add_helper(self._scene, _CLASS, "MedSegFM disagreement", self._tag)
        display = add_display(self.node)
        display.SetAndObserveColorNodeID(self._colors.GetID())
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, 1.0)
        display.SetLowerThreshold(_LEAST)
        display.SetUpperThreshold(2.0)
        display.AutoThresholdOff()
        display.ApplyThresholdOn()


def _matrix_of(volume_node: Any, region: Region) -> Any:
    """The vtkMatrix4x4 of a region of a volume node, in the node's own space."""
    whole = to_vtk(np.eye(4))
    volume_node.GetIJKToRASMatrix(whole)
    matrix = to_numpy(whole)
    matrix[:3, 3] += matrix[:3, :3] @ region.start_kji[::-1]
    return to_vtk(matrix)


def _image(map_kji: NDArray[np.float32]) -> Any:
    image = vtkImageData()
    image.SetDimensions(*map_kji.shape[::-1])
    flat = np.ascontiguousarray(map_kji, dtype=np.float32).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
    return image


def _color_table(scene: Any) -> Any:
    node = add_helper(scene, "vtkMRMLColorTableNode", "MedSegFM disagreement colours")
    node.SetTypeToUser()
    node.SetNumberOfColors(_STEPS)
    places = np.linspace(0, len(COLORS) - 1, _STEPS)
    channels = [
        np.interp(places, range(len(COLORS)), column) for column in zip(*COLORS, strict=True)
    ]
    for n, (red, green, blue) in enumerate(zip(*channels, strict=True)):
        node.SetColor(n, f"{n / (_STEPS - 1):.2f}", red, green, blue, 1.0)
    node.GetLookupTable().SetTableRange(0, _STEPS - 1)
    return node
