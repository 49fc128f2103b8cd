"""Scenes of one bright cuboid to train on."""

from __future__ import annotations

import torch

from MedSegFMLib.synthesis.scene import RandomGenerators, Scene
from MedSegFMLib.volumes.region import Shape

CPU = torch.device("cpu")


class Cuboid:
    """Scenes of one bright cuboid, of which the box is known."""

    def __init__(
        self, start: Shape, stop: Shape, spacing_kji_mm: tuple[float, float, float]
    ) -> None:
        self.window = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        self.spacing_kji_mm = spacing_kji_mm

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        labels = torch.zeros(shape_kji, dtype=torch.int16)
        labels[self.window] = 1
        return Scene(0.2 + 0.6 * labels.float(), labels, self.spacing_kji_mm)


CUBOID = Cuboid((8, 6, 7), (14, 18, 17), (3.0, 1.0, 0.5))


def generators(seed: int = 0) -> RandomGenerators:
    return RandomGenerators.seeded(seed, CPU)
