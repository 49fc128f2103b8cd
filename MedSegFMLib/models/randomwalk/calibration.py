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
    faces = _face_logits(logits, grid, 0)
    shift = weight * settings.face_weight * float(np.clip(np.median(faces), -3, 0.5))
    return np.asarray(logits - np.float32(shift), dtype=np.float32)


def face_shift(logits: Floats, grid: BoxGrid, settings: Settings) -> float:
    """The shift of logits with which the object reaches all faces of its box but one; 0 or more.

    An object comes close to every face of a box that was drawn tight around it (Lempitsky et al.,
    "Image segmentation with a bounding box prior", ICCV 2009). Thin and scattered objects, of which
    a network that is unsure finds little, do not without the shift. One face is left out for boxes
    that are not tight there.

    Args:
        logits: The logits of the cells.
        grid: The box and its cells.
        settings: The settings of the method.
    """
    second_lowest = np.sort(_face_logits(logits, grid, settings.network_face_depth))[1]
    return float(np.clip(-second_lowest, 0, settings.network_most_face_shift))


def _face_logits(logits: Floats, grid: BoxGrid, depth: float) -> list[float]:
    """The highest logit near each of the six faces of the box.

    Args:
        logits: The logits of the cells.
        grid: The box and its cells.
        depth: How far from the face, as a part of the box's width; at least one cell.
    """
    box = logits[grid.box_slices()]
    faces = []
    for axis in range(3):
        profile = box.max(axis=tuple(a for a in range(3) if a != axis))
        cells = max(1, round(depth * profile.size))
        faces += [float(profile[:cells].max()), float(profile[-cells:].max())]
    return faces


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
