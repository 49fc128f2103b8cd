"""An endless source of random scenes."""

from __future__ import annotations

import numpy as np
import torch

from ...volumes.region import Shape
from ..fields import Frame
from ..scene import RandomGenerators, Scene
from .acquisition import acquire
from .appearance import random_style, render
from .canvas import Canvas
from .scene_kinds import KINDS


class RandomSource:
    """Objects of random shapes in random surroundings as imaged by a random device.

    Each scene has one to six objects of at least LEAST_VOXELS voxels, labelled 1 and up without
    gaps.
    """

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        """The next scene; on a GPU, nothing here waits for the device."""
        rng = generators.host
        spacing = _spacing(shape_kji, rng)
        frame = Frame(shape_kji, spacing, generators)
        weights = np.array(list(KINDS.values()))
        kind = list(KINDS)[rng.choice(len(weights), p=weights / weights.sum())]
        canvas = Canvas(frame)
        with torch.no_grad(), torch.autocast(frame.device.type, enabled=False):
            kind(canvas)
            canvas.drop_small_objects()
            style = random_style(kind.__name__, rng)
            image, labels = acquire(render(canvas, style), canvas.labels, style, frame)
            canvas.relabel(labels)
        return Scene(image, canvas.labels, spacing)


def _spacing(shape_kji: Shape, rng: np.random.Generator) -> tuple[float, float, float]:
    """Cubic voxels in half of the cases, else slices up to 8 times thicker than the pixel size."""
    pixel_mm = float(np.exp(rng.uniform(np.log(0.4), np.log(3))))
    thick = float(np.exp(rng.uniform(np.log(0.6), np.log(8)))) if rng.random() < 0.5 else 1.0
    spacing = [pixel_mm * thick, pixel_mm, pixel_mm]
    if rng.random() < 0.2:
        rng.shuffle(spacing)
    return (spacing[0], spacing[1], spacing[2])
