"""Resampling of a packed volume at the voxels of a scene."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from .warp import Affine

# Smaller steps show the packed volume's voxels as blocks.
_FINE_STEP = 0.75


def nearest(array: Tensor, where: Tensor) -> Tensor:
    """(K, J, I) int64 values of a (k, j, i) array at the voxels nearest to `where`; 0 outside."""
    shape = array.shape
    index = torch.zeros(where.shape[1:], dtype=torch.int64, device=where.device)
    inside = torch.ones(where.shape[1:], dtype=torch.bool, device=where.device)
    for along, count in zip(where, shape, strict=True):
        voxel = along.round().long()
        inside &= (voxel >= 0) & (voxel < count)
        index = index * count + voxel.clamp_(0, count - 1)
    return array.reshape(-1)[index].long() * inside


def linear(array: Tensor, where: Tensor, affine: Affine) -> Tensor:
    """(K, J, I) float32 values 0 to 1 of a uint8 array by linear interpolation; 0 outside.

    Voxels are first averaged if the scene's are larger.
    """
    part, start = _part(array, affine)
    return _between(part.float()[None] / 255, start, where, affine)[0]


def objects(array: Tensor, table: NDArray[np.int64], where: Tensor, affine: Affine) -> Tensor:
    """(K, J, I) int16: the entries of `table` for the values of an array; 0 outside.

    If the scene's voxels are smaller, outlines are smoothed over a voxel of the array.
    """
    numbers = torch.from_numpy(table).to(where.device, torch.int16)
    if min(affine.steps(where.shape[1:])) >= _FINE_STEP:
        return numbers[nearest(array, where)]
    part, start = _part(array, affine)
    numbers = numbers[part.long()]
    wanted = torch.arange(1, int(table.max()) + 1, device=where.device)
    shares = (numbers[None] == wanted[:, None, None, None]).float()
    for axis, step in enumerate(affine.steps(where.shape[1:]), 1):
        if step < _FINE_STEP:
            shares = _smoothed(shares, axis)
    share, which = _between(shares, start, where, affine).max(0)
    return ((which + 1) * (share >= 0.5)).short()


def _part(array: Tensor, affine: Affine) -> tuple[Tensor, list[int]]:
    """The part of a packed volume's array that a scene can reach, and its first voxel."""
    reach = np.abs(affine.matrix).sum(1) * 1.25 + 3
    start = np.floor(affine.centre - reach).astype(int).clip(0)
    stop = np.ceil(affine.centre + reach).astype(int) + 1
    k, j, i = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return array[k, j, i], [k.start, j.start, i.start]


def _between(part: Tensor, start: list[int], where: Tensor, affine: Affine) -> Tensor:
    """(C, K, J, I) interpolated values of a (C, k, j, i) part of a packed volume."""
    shape = part.shape[1:]
    factors = [
        max(1, min(round(step), n))
        for step, n in zip(affine.steps(where.shape[1:]), shape, strict=True)
    ]
    part = part[None]
    if max(factors) > 1:
        part = F.avg_pool3d(part, factors, ceil_mode=True)
    # Positions on the grid of averaged voxels, then -1 to 1 from its first to its last edge.
    scale = [2 / (f * n) for f, n in zip(factors, part.shape[2:], strict=True)]
    grid = torch.stack(
        [(where[a] - float(start[a]) + 0.5) * scale[a] - 1 for a in (2, 1, 0)], dim=-1
    )
    return F.grid_sample(part, grid[None], padding_mode="zeros", align_corners=False)[0]


def _smoothed(array: Tensor, axis: int) -> Tensor:
    """Smoothing along an axis with the weights 1, 2, 1."""
    count = array.shape[axis]
    before = torch.cat([array.narrow(axis, 0, 1), array.narrow(axis, 0, count - 1)], axis)
    after = torch.cat([array.narrow(axis, 1, count - 1), array.narrow(axis, count - 1, 1)], axis)
    return (before + 2 * array + after) / 4
