"""Where to draw the line between object and background."""

from __future__ import annotations

import numpy as np

from ...volumes.pooling import Floats
from .box_grid import BoxGrid
from .settings import Settings


def calibrate(logits: Floats, grid: BoxGrid, settings: Settings, weight: float) -> Floats:
    """The logits shifted so that the object fills the box about as objects do.

    First toward a typical share of the box, then so that the object comes near the faces of a box
    that was drawn tight around it. weight: how much of both, 0 to 1.
    """
    inside = logits[grid.inside]
    found = float(np.clip((inside > 0).mean(), 1e-3, 1 - 1e-3))
    share = weight * settings.occupancy_weight
    wanted = _sigmoid((1 - share) * _logit(found) + share * _logit(settings.occupancy))
    logits = logits - np.float32(np.clip(np.quantile(inside, 1 - wanted), -4, 2))
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
