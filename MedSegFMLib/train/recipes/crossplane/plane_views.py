"""Three slices through a voxel, each as an image with its object and a prompt.

All three show the same region of the volume, voxel by voxel, so that the lines of intersection have
the same voxels in both; see `crossing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.planar.grey_levels import GreyLevels, GreyWindow
from ....models.planar.propagation import PixelPrompt
from ....models.planar.stacks import StackPlane, stack_planes
from ....volumes.region import Region
from ...labelled_volumes import LabelledVolume

# Pixels by which a side of the box may exceed the object, as the boxes of propagation do.
_SLACK = 5


@dataclass(frozen=True, eq=False)
class View:
    """A slice.

    Attributes:
        plane: its plane.
        key: identifies the slice among all training slices.
        slice_image: (rows, columns) grey levels.
        target: the same shape, float32, 1 in the object.
        prompt: the prompt in pixels.
        crossed: row and column of the voxel that all three views contain.
    """

    plane: StackPlane
    key: tuple[Any, ...]
    slice_image: GreyLevels
    target: Tensor
    prompt: PixelPrompt
    crossed: tuple[int, int]

    def line(self, answer: Tensor, axis_kji: int) -> Tensor:
        """The line of (rows, columns) through the crossed voxel along an axis of the volume.

        Its voxels are in the order of the volume's array.

        Raises:
            ValueError: the plane is perpendicular to the axis.
        """
        place = self.plane.axes_kji.index(axis_kji)
        if place == 0:
            raise ValueError(f"The {self.plane.name} plane has no line along axis {axis_kji}.")
        row, column = self.crossed
        line = answer[:, column] if place == 1 else answer[row]
        return line.flip(0) if self.plane.flips[place] else line


class PlaneStacks:
    """A labelled volume as contiguous stacks of grey levels and labels in each plane.

    Args:
        volume: the volume.
        shown: the part of it that contains all views.
    """

    def __init__(self, volume: LabelledVolume, shown: Region) -> None:
        self.name = volume.name
        self.shown = shown
        array = volume.image.array_kji
        grey = GreyWindow.from_volume(volume.image).grey_levels(array, shown)
        labels = volume.labels_kji[shown.slices]
        labels = labels.astype(np.min_scalar_type(int(labels.max())))
        self.planes = stack_planes(volume.image.geometry)
        self._grey = {name: plane.stack(grey) for name, plane in self.planes.items()}
        self._labels = {name: plane.stack(labels) for name, plane in self.planes.items()}

    def views(
        self, label: int, region: Region, voxel_kji: Sequence[int], rng: np.random.Generator
    ) -> list[View]:
        """The axial, coronal and sagittal view of a region through a voxel of an object in it.

        The prompt is a box around the object in the slice for three of four samples; for the
        others, and for half of those with a box, the voxel is clicked.

        Args:
            label: the label of the object.
            region: in the whole volume.
            voxel_kji: in the whole volume.
            rng: the random generator.
        """
        boxed = bool(rng.random() < 0.75)
        clicked = bool(rng.random() < 0.5) if boxed else True
        own = region.relative_to(self.shown)
        voxel = np.array([voxel_kji]) - np.array(self.shown.start_kji)
        return [self._view(name, label, own, voxel, boxed, clicked, rng) for name in self.planes]

    def _view(
        self,
        name: str,
        label: int,
        region: Region,
        voxel_kji: NDArray[np.int64],
        boxed: bool,
        clicked: bool,
        rng: np.random.Generator,
    ) -> View:
        plane = self.planes[name]
        shape = self.shown.shape_kji
        index, row, column = plane.voxels(voxel_kji, shape)[0].tolist()
        own = plane.region(region, shape)
        bounds = own.slices[1:]
        mask: NDArray[np.bool_] = self._labels[name][index][bounds] == label
        crossed = (row - own.start_kji[1], column - own.start_kji[2])
        prompt = PixelPrompt(
            _drawn_box(mask, rng) if boxed else None, ((*crossed, True),) if clicked else ()
        )
        return View(
            plane,
            (self.name, name, index, own.start_kji[1:], own.stop_kji[1:]),
            np.ascontiguousarray(self._grey[name][index][bounds]),
            torch.from_numpy(mask.astype(np.float32)),
            prompt,
            crossed,
        )


def crossing(first: View, second: View) -> int:
    """The axis of the volume along which two views of different planes intersect."""
    return 3 - first.plane.axes_kji[0] - second.plane.axes_kji[0]


def _drawn_box(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    slack = rng.integers(0, _SLACK + 1, 4)
    return (
        int(max(rows[0] - slack[0], 0)),
        int(max(columns[0] - slack[1], 0)),
        int(min(rows[-1] + 1 + slack[2], mask.shape[0])),
        int(min(columns[-1] + 1 + slack[3], mask.shape[1])),
    )
