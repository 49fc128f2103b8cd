"""Views of a batch with other axes first and some axes reversed, and their answers turned back.

A network of slices sees a volume along three axes; a 3D network sees it once. Here it sees it a
second time with its axes in another order, so that the slices of another plane are its first axis,
and mirrored. Both answers have a value for every voxel: the lines in which the planes meet are all
of the region, and the intersection term of "The Cost of Consistency" is a mean over the region.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from ..ensam.samples import Batch

_ORDERS = tuple((a, b, c) for a, b, c in permutations(range(3)) if (a, b, c) != (0, 1, 2))


@dataclass(frozen=True)
class Turn:
    """A view.

    Attributes:
        order: The axis of the volume that each axis of the view is.
        reversed_axes: The axes of the view that are reversed.
    """

    order: tuple[int, int, int]
    reversed_axes: tuple[int, ...]

    def of(self, batch: Batch) -> Batch:
        """A batch as this view shows it: image, target, boxes and spacing; without `previous`."""
        boxes = batch.boxes_kji
        if boxes is not None:
            boxes = boxes[..., list(self.order)].clone()
            for axis in self.reversed_axes:
                last = batch.image.shape[self.order[axis] + 2] - 1
                # The first corner stays the one with the smaller numbers.
                boxes[..., axis] = last - boxes[..., axis].flip(1)
        return replace(
            batch,
            image=self._array(batch.image),
            target=self._array(batch.target),
            boxes_kji=boxes,
            spacing_kji_mm=batch.spacing_kji_mm[:, list(self.order)],
            previous=None,
        )

    def back(self, answer: Tensor) -> Tensor:
        """An answer (B, 1, n, n, n) to this view, in the order of the volume."""
        straight = answer.flip([axis + 2 for axis in self.reversed_axes])
        places = np.argsort(self.order)
        return straight.permute(0, 1, *(int(place) + 2 for place in places))

    def _array(self, array: Tensor) -> Tensor:
        turned = array.permute(0, 1, *(axis + 2 for axis in self.order))
        return turned.flip([axis + 2 for axis in self.reversed_axes]).contiguous()


def drawn_turn(rng: np.random.Generator) -> Turn:
    """A view at random, with another axis order than the volume's."""
    order = _ORDERS[int(rng.integers(len(_ORDERS)))]
    axes = torch.arange(3)[torch.from_numpy(rng.random(3) < 0.5)]
    return Turn(order, tuple(axes.tolist()))
