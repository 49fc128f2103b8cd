"""Lines in which slices of different planes intersect, and how far masks differ on them.

The term of "The Cost of Consistency", Σ_{i in {coronal, sagittal}} ||M_ax[∩_i] − M_i[∩_ax]||², for
masks of SAM3: whole slices are resized to squares, so that a line is sampled at fractions of both.
As in the recipe crossplane, the sum over a line is a mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from ....models.planar.stacks import StackPlane
from ...agreement import Agreement

# The axial slice, which is the first, with the coronal and with the sagittal one.
PAIRS = ((0, 1), (0, 2))


def lines(
    planes: Sequence[StackPlane],
    voxel_kji: Sequence[int],
    shape_kji: Sequence[int],
    count: int,
) -> Tensor:
    """(2, 2, count, 2) float32: for each of `PAIRS`, x and y of a line's points in both slices.

    They are fractions of the slice, in the same order along the volume's axis.

    Args:
        planes: the axial, the coronal and the sagittal plane.
        voxel_kji: the voxel that all three slices contain.
        shape_kji: the shape of the volume.
        count: the number of points.
    """
    middle = (np.array(voxel_kji) + 0.5) / np.array(shape_kji)
    found = []
    for pair in PAIRS:
        first, second = (planes[place] for place in pair)
        points = np.tile(middle, (count, 1))
        points[:, 3 - first.axes_kji[0] - second.axes_kji[0]] = (np.arange(count) + 0.5) / count
        found.append([_in_slice(plane, points) for plane in (first, second)])
    return torch.from_numpy(np.array(found, np.float32))


def voxel_of(plane: StackPlane, place: Sequence[int], shape_kji: Sequence[int]) -> list[int]:
    """The voxel (k, j, i) of a (slice, row, column): the inverse of `StackPlane.voxels`."""
    voxel = [0, 0, 0]
    for index, axis, flip in zip(place, plane.axes_kji, plane.flips, strict=True):
        voxel[axis] = shape_kji[axis] - 1 - index if flip else index
    return voxel


def on_lines(logits: Tensor, pairs: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The logits of the masks of both slices along each line, (p, count) each.

    Args:
        logits: (n, h, w), the mask of each slice.
        pairs: (p, 2) int64, the two slices of a line.
        points: (p, 2, count, 2), as `lines` gives them.
    """
    one, other = (
        grid_sample(
            logits[pairs[:, place]][:, None],
            (2 * points[:, place] - 1)[:, None],
            padding_mode="border",
            align_corners=False,
        )[:, 0, 0]
        for place in range(2)
    )
    return one, other


def intersection_price(
    logits: Tensor, pairs: Tensor, points: Tensor, agreement: Agreement
) -> Tensor:
    """The sum over the two pairs of planes of the mean price on their lines; 0 without lines."""
    if not len(pairs):
        return logits.new_zeros(())
    return len(PAIRS) * agreement.price(*on_lines(logits, pairs, points))


def _in_slice(plane: StackPlane, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """x and y of points (count, 3), fractions of the volume along K, J and I."""
    permuted = points[:, plane.axes_kji]
    return np.where(plane.flips, 1 - permuted, permuted)[:, [2, 1]]
