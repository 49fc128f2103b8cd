"""The threshold between object and background."""

from __future__ import annotations

import numpy as np

from ...volumes.pooling import Floats
from .box_grid import BoxGrid
from .settings import Settings


def calibrate(logits: Floats, grid: BoxGrid, settings: Settings, weight: float) -> Floats:
    """The logits shifted so that the object fills the box about as objects usually do.

    They are shifted first towards a typical fraction of the box, then so that the object comes
    close to the faces of a box that was drawn tight around it.

    Args:
        logits: The logits of the cells.
        grid: The box and its cells.
        settings: The settings of the method.
        weight: The strength of both shifts, 0 to 1.
    """
    inside = logits[grid.inside]
    filled = float(np.clip((inside > 0).mean(), 1e-3, 1 - 1e-3))
    share = weight * settings.occupancy_weight
    target = _sigmoid((1 - share) * _logit(filled) + share * _logit(settings.occupancy))
    logits = logits - np.float32(np.clip(np.quantile(inside, 1 - target), -4, 2))
    box = logits[grid.box_slices()]
    faces = [
        float(np.take(box, end, axis).max())
        for axis in range(3)
        for end in (0, box.shape[axis] - 1)
    ]
    shift = weight * settings.face_weight * float(np.clip(np.median(faces), -3, 0.5))
    return np.asarray(logits - np.float32(shift), dtype=np.float32)


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
