"""The grid of a scene, and smooth random fields on it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..volumes.region import Shape
from .scene import RandomGenerators

# Width of a bump in units of the coarse grid: smaller values reveal the grid, larger ones make the
# bumps similar.
_BUMP_SIGMA = 0.55


class Frame:
    """The grid of a scene.

    Attributes:
        shape_kji: the number of voxels along each axis.
        generators: the random generators of the scene.
        device: the torch device of all arrays.
        position: (3, K, J, I) float32, -1 to 1 from the first to the last voxel along each axis.
        aspect_kji: the sides of the field of view, relative to the longest of them.
    """

    def __init__(
        self, shape_kji: Shape, spacing_kji_mm: Sequence[float], generators: RandomGenerators
    ) -> None:
        self.shape_kji = shape_kji
        self.generators = generators
        self.device = generators.device.device
        sides_mm = [n * s for n, s in zip(shape_kji, spacing_kji_mm, strict=True)]
        self.aspect_kji = tuple(side / max(sides_mm) for side in sides_mm)
        self.position = _grid(shape_kji, self.device)

    def fields(self, cells: float, count: int = 1) -> Tensor:
        """(count, K, J, I) smooth noise of mean 0 and variance 1.

        It has `cells` bumps along the longest side; a shorter side has fewer bumps, at least two.
        """
        bases = [
            _bumps(n, max(2, round(min(cells * max(a, 0.35), n / 1.5))), self.device)
            for n, a in zip(self.shape_kji, self.aspect_kji, strict=True)
        ]
        coarse = self.noise((count, *(basis.shape[1] for basis in bases)))
        return along_axes(coarse, bases)

    def noise(self, shape: Sequence[int]) -> Tensor:
        """White Gaussian noise of variance 1."""
        return torch.randn(tuple(shape), generator=self.generators.device, device=self.device)


def along_axes(array: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Multiply each of the last three axes of a (C, k, j, i) array by a matrix (new, old)."""
    along_k, along_j, along_i = matrices
    count, k, j, i = array.shape
    # In this order the intermediate arrays stay small for as long as possible.
    array = torch.matmul(along_k, array.reshape(count, k, j * i)).reshape(count, -1, j, i)
    array = torch.matmul(along_j, array)
    return torch.matmul(array, along_i.T)


@lru_cache(maxsize=64)
def _grid(shape_kji: Shape, device: torch.device) -> Tensor:
    axes = [torch.linspace(-1, 1, n, device=device) for n in shape_kji]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


@lru_cache(maxsize=512)
def _bumps(length: int, cells: int, device: torch.device) -> Tensor:
    """(length, cells + 3) Gaussian bumps; each row has norm 1, so noise keeps its variance."""
    voxels = np.linspace(0, cells, length)[:, None]
    centers = np.arange(-1, cells + 2)
    values = np.exp(-0.5 * ((voxels - centers) / _BUMP_SIGMA) ** 2)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return torch.from_numpy(values.astype(np.float32)).to(device)
