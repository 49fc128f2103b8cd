"""The positions of a scene's voxels in a packed volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...volumes.region import Shape
from ..fields import Frame
from ..random.shapes import random_turn, to_device

# Largest ratio of a scene's sides to the packed volume's, on average.
_LARGEST_VIEW = 1.0


@dataclass(frozen=True)
class Affine:
    """Voxel positions in a packed volume: matrix @ p + centre for p from -1 to 1 over the scene.

    Attributes:
        matrix: (3, 3), in voxels of the packed volume, k, j, i.
        centre: (3,), in voxels of the packed volume, k, j, i.
        spacing_kji_mm: the size of the scene's voxels.
    """

    matrix: NDArray[np.float64]
    centre: NDArray[np.float64]
    spacing_kji_mm: tuple[float, float, float]

    def steps(self, shape_kji: Sequence[int]) -> list[float]:
        """The distance in packed voxels along each axis for a step of one voxel in a scene."""
        steps = 2 * np.abs(self.matrix) / (np.array(shape_kji) - 1).clip(1)
        return [float(step) for step in steps.max(axis=1)]


def random_affine(
    box: Sequence[int],
    volume_shape: Shape,
    volume_spacing_mm: Sequence[float],
    shape_kji: Shape,
    rng: np.random.Generator,
    finest_step: float = 0.4,
) -> Affine:
    """A random view in which the object in a box spans 30 to 100 % of one side.

    Axes are swapped and flipped at random; the object is usually inside as a whole. It spans less
    if the scene's voxels would otherwise be too small.

    Args:
        box: the object's half-open box (start kji, stop kji).
        volume_shape: the shape of the packed volume.
        volume_spacing_mm: the voxel size of the packed volume, k, j, i.
        shape_kji: the shape of the scene.
        rng: the random generator.
        finest_step: the smallest voxel size of the scene, relative to the packed volume's.
    """
    spacing, shape = np.array(volume_spacing_mm), np.array(shape_kji)
    box_start, box_stop = np.array(box[:3]), np.array(box[3:])
    # Row a of `swap` selects the axis of the scene along axis a of the packed volume.
    axes = rng.permutation(3) if rng.random() < 0.5 else np.arange(3)
    swap = np.eye(3)[axes] * rng.choice([-1, 1], 3)[:, None]
    along_scene = np.abs(swap).T
    extent_mm = along_scene @ ((box_stop - box_start) * spacing)
    # Between cubic voxels and voxels as anisotropic as the packed volume's.
    voxel_mm = (along_scene @ spacing) ** rng.uniform(0, 1) * np.exp(rng.normal(0, 0.12, 3))
    fill = rng.uniform(0.3, 1) ** 0.8
    voxel_mm = voxel_mm * (extent_mm / (voxel_mm * shape)).max() / fill
    whole_mm = along_scene @ (np.array(volume_shape) * spacing)
    beyond = np.exp(np.log(voxel_mm * shape / whole_mm).mean())
    voxel_mm = voxel_mm / max(1.0, float(beyond) / _LARGEST_VIEW)
    finest = finest_step * (along_scene @ spacing)
    voxel_mm = voxel_mm * max(1.0, float((finest / voxel_mm).min()))
    turn = random_turn(rng, np.deg2rad(20)) if rng.random() < 0.6 else np.eye(3)
    view_mm = voxel_mm * shape
    matrix = turn @ swap @ np.diag(voxel_mm * (shape - 1) / 2) / spacing[:, None]
    slack = np.abs(swap) @ np.maximum(view_mm - extent_mm, 0.15 * extent_mm) / spacing
    centre = (box_start + box_stop - 1) / 2 + 0.5 * slack * rng.uniform(-1, 1, 3)
    # Moved toward the centre of the packed volume if the view would extend beyond it.
    half = np.abs(swap) @ view_mm / spacing / 2
    last = np.array(volume_shape) - 1.0
    low, high = np.minimum(half, last / 2), np.maximum(last - half, last / 2)
    k, j, i = (float(mm) for mm in voxel_mm)
    return Affine(matrix, centre.clip(low, high), (k, j, i))


def positions(affine: Affine, frame: Frame) -> Tensor:
    """(3, K, J, I) voxel positions in the packed volume, smoothly deformed."""
    rng = frame.generators.host
    place = frame.position
    if rng.random() < 0.7:
        cells, bend = rng.uniform(2, 5), rng.uniform(0.02, 0.16)
        place = place + float(bend / cells) * frame.fields(cells, 3)
    offset = to_device(affine.centre[:, None], frame)
    flat = torch.addmm(offset, to_device(affine.matrix, frame), place.reshape(3, -1))
    return flat.reshape(place.shape)
