"""The result of synthesis, an image with several labelled objects, and its random generators.

Needs torch and numpy only, as does all of synthesis but the phantom and the packing of real
volumes.
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

    Attributes:
        image: (K, J, I) float32, 0 to 1.
        labels: (K, J, I) int16 on the same grid; 0 belongs to no object.
        spacing_kji_mm: the size of a voxel.
    """

    image: Tensor
    labels: Tensor
    spacing_kji_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class RandomGenerators:
    """Two random generators with the same seed.

    Attributes:
        host: for choices that steer the program; it never waits for the device.
        device: for whole arrays of numbers on the device.
    """

    host: np.random.Generator
    device: torch.Generator

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> RandomGenerators:
        """Generators that repeat for the same seed on the same kind of device."""
        return cls(np.random.default_rng(seed), torch.Generator(device).manual_seed(seed))


class Source(Protocol):
    """An endless supply of scenes."""

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        """The next scene of the given shape, on the device of `generators`."""
