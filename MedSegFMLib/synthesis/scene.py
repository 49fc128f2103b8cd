"""What synthesis makes: an image with several labelled objects, and the chance it is made by.

Needs torch and numpy alone, as all of synthesis but the phantom and the packing of recorded
volumes does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..volumes.region import Shape


@dataclass(frozen=True, eq=False)
class Scene:
    """A labelled volume on one device.

    image: (K, J, I) float32, 0 to 1.
    labels: (K, J, I) int16 on the same grid; 0 belongs to no object.
    spacing_kji_mm: the size of a voxel.
    """

    image: Tensor
    labels: Tensor
    spacing_kji_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class RandomGenerators:
    """Two sources of random numbers from one seed.

    host: for choices that steer the program; drawing from it never waits for the device.
    device: for whole arrays of numbers on the device.
    """

    host: np.random.Generator
    device: torch.Generator

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> RandomGenerators:
        """The same seed gives the same numbers on the same kind of device."""
        return cls(np.random.default_rng(seed), torch.Generator(device).manual_seed(seed))


class Source(Protocol):
    """An endless supply of scenes."""

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        """The next scene, of the shape asked for, on the device of `generators`."""
