"""Slices made smaller at random and filled up to the network's size, as SAM 3's training has it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .slices import TextBatch

# Black after the normalisation with mean and deviation 0.5.
_BLACK = -1.0
# The difference between two sizes, as a part of the largest.
_STEP = 32 / 1008
# The least share of a mask's pixel that is the object.
_HALF = 0.5


def made_smaller(batch: TextBatch, smallest: float, rng: np.random.Generator) -> TextBatch:
    """Slices in the upper left corner of their images, each scaled by a factor of its own.

    SAM 3's fine-tuning resizes each image to a random square, from 480 pixels in steps of 32 up to
    1,008, and pads it to 1,008; steps of another size are in proportion. Boxes and masks follow; a
    mask that would lose all of its pixels keeps the fullest.

    Args:
        batch: the slices.
        smallest: the smallest factor; 1 returns the batch.
        rng: the random generator.
    """
    if smallest >= 1:
        return batch
    side, mask_side = batch.images.shape[-1], batch.masks.shape[-1]
    step = max(1, round(_STEP * side))
    least = math.ceil(smallest * side / step) * step
    allowed = np.arange(least, side + 1, step) if least <= side else np.array([side])
    sides = rng.choice(allowed, len(batch.images)).tolist()
    images = torch.stack(
        [_in_corner(image, n, _BLACK) for image, n in zip(batch.images, sides, strict=True)]
    )
    boxes, masks = batch.boxes.clone(), batch.masks.clone()
    for number, place in enumerate(batch.slices.tolist()):
        boxes[number] *= sides[place] / side
        scaled = max(1, round(mask_side * sides[place] / side))
        share = _in_corner(batch.masks[number][None], scaled, 0.0)[0]
        masks[number] = (share >= min(_HALF, float(share.max()))).float()
    shares = torch.tensor(sides, dtype=torch.float32) / side
    points = batch.points * shares[batch.pairs][..., None, None]
    return replace(batch, images=images, boxes=boxes, masks=masks, points=points)


def _in_corner(image: Tensor, side: int, fill: float) -> Tensor:
    """(c, n, n) resized to (c, side, side), with `fill` to its right and below."""
    size = image.shape[-1]
    small = functional.interpolate(
        image[None], (side, side), mode="bilinear", align_corners=False, antialias=True
    )[0]
    return functional.pad(small, (0, size - side, 0, size - side), value=fill)
