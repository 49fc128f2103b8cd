"""Voronoi territories of points: cells and neurites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .canvas import Canvas
from .shapes import distances


@dataclass(frozen=True, eq=False)
class Territories:
    """The voxels nearest to each of some points.

    Attributes:
        centers: (n, 3) the points.
        owner: (K, J, I) the index of the nearest point.
        nearest: (K, J, I) the distance to it.
        gap: (K, J, I) how much farther away the second nearest point is; 0 on the border.
    """

    centers: NDArray[np.float64]
    owner: Tensor
    nearest: Tensor
    gap: Tensor

    def label(self, canvas: Canvas, count: int) -> Tensor:
        """Labels of the `count` central territories, as new objects of the canvas."""
        table = np.zeros(len(self.centers), dtype=np.int16)
        for central in np.argsort((self.centers**2).sum(1))[:count]:
            table[central] = canvas.new_object()
        return torch.from_numpy(table).to(self.owner.device)[self.owner]


def territories(canvas: Canvas, count: int, bend: float = 0.06) -> Territories:
    """Territories of random points, with borders deformed by up to about `bend`."""
    rng = canvas.frame.generators.host
    centers = rng.uniform(-1.15, 1.15, (count, 3))
    bent = canvas.position + bend * canvas.frame.fields(4, 3)
    gap = distances(bent, centers, canvas.frame)
    nearest, owner = gap.min(0, keepdim=True)
    further = gap.scatter_(0, owner, torch.inf).amin(0)
    shape = canvas.frame.shape_kji
    gap = (further - nearest[0]).reshape(shape)
    return Territories(centers, owner.reshape(shape), nearest.reshape(shape), gap)
