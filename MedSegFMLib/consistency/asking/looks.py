"""Several looks at one object compared: their agreement, and the places that they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...prompts.places import Place, PlaceQuestion
from ...segmenter import Logits
from ...volumes.geometry import Geometry
from ...volumes.masks import bounding_box
from ...volumes.region import Region
from ..agreement import agreement
from ..hot_spots import deepest_voxel

Floats = NDArray[np.float32]
Voxels = NDArray[np.int64]

# More cannot be told apart in the views.
_MOST_PLACES = 8
# A click this near to a place is meant for it.
_NEAR_VOXELS = 3
# Logits of what does not belong to the object, and the furthest from 0.
_OUTSIDE, _FURTHEST = np.float32(-4.0), 1e-6


@dataclass(frozen=True, eq=False)
class Looks:
    """The findings of several looks at an object.

    Attributes:
        geometry: the volume's grid.
        region: the region that was looked at.
        agreement: the mean Dice over pairs of looks; 1 if none found anything.
        part: the box, in the region, around all that was found; None if nothing was.
        probabilities: of each look in that box, float32.
        numbers: int32 in that box, the number of the place of each voxel, 0 for none.
        places: the places by number, the likeliest first.
    """

    geometry: Geometry
    region: Region
    agreement: float
    part: Region | None
    probabilities: tuple[Floats, ...]
    numbers: NDArray[np.int32]
    places: tuple[Place, ...]

    @property
    def nbytes(self) -> int:
        """The memory of the arrays."""
        return self.numbers.nbytes + sum(array.nbytes for array in self.probabilities)

    def place_at(self, voxel_kji: Sequence[int]) -> int:
        """The number of the place at or beside a voxel of the region; 0 if there is none."""
        if self.part is None:
            return 0
        inside = np.array(voxel_kji) - self.part.start_kji
        for reach in (0, _NEAR_VOXELS):
            low = np.maximum(inside - reach, 0)
            around = self.numbers[tuple(map(slice, low, np.maximum(inside + reach + 1, 0)))]
            counts = np.bincount(around[around > 0], minlength=1)
            if counts.any():
                return int(counts.argmax())
        return 0

    def question(self, ruled_out: set[int], bound: float) -> PlaceQuestion | None:
        """Which of the places that are left is meant; None if none is left."""
        left = tuple(place for place in self.places if place.number not in ruled_out)
        return PlaceQuestion(left, self.agreement, bound) if left else None

    def drawn(self, numbers: set[int]) -> Logits:
        """Logits (k, j, i) on the region of an object that consists of some places.

        In each, the looks that found something there are averaged; where they have no voxel in
        common, all of it counts.
        """
        logits = np.full(self.region.shape_kji, _OUTSIDE, np.float32)
        if self.part is None:
            return logits
        here = logits[self.part.slices]
        for number in numbers:
            inside = self.numbers == number
            finders = [p for p in self.probabilities if (p[inside] > 0.5).any()]
            mean = np.mean([p[inside] for p in finders], axis=0)
            if not (mean > 0.5).any():
                mean = np.max([p[inside] for p in finders], axis=0)
            mean = np.clip(mean, _FURTHEST, 1 - _FURTHEST)
            here[inside] = np.log(mean / (1 - mean))
        return logits


def compared(geometry: Geometry, region: Region, looks: Mapping[str, Floats]) -> Looks:
    """Compare looks at an object.

    A place is a 26-connected part of what any of them found; at most eight are kept, those with the
    most expected voxels.

    Args:
        geometry: the volume's grid.
        region: the region that was looked at.
        looks: the probabilities (k, j, i) on that region, by the look's name.
    """
    from scipy.ndimage import find_objects, label

    masks = {name: look > 0.5 for name, look in looks.items()}
    found = np.any(list(masks.values()), axis=0)
    box = bounding_box(found)
    agreed = agreement(masks)
    agreed = 1.0 if agreed is None else agreed
    if box is None:
        nothing = np.zeros((0, 0, 0), np.int32)
        return Looks(geometry, region, agreed, None, (), nothing, ())
    part = Region.from_slices(box)
    own = tuple(np.ascontiguousarray(look[box], np.float32) for look in looks.values())
    mean = np.asarray(np.mean(own, axis=0, dtype=np.float32))
    components, count = label(found[box], structure=np.ones((3, 3, 3), dtype=bool))
    sizes = np.bincount(components.ravel(), minlength=count + 1)
    expected = np.bincount(components.ravel(), mean.ravel(), minlength=count + 1)
    expected[0] = 0
    order = np.argsort(-expected, kind="stable")[: min(count, _MOST_PLACES)]
    renumbered = np.zeros(count + 1, np.int32)
    renumbered[order] = np.arange(1, len(order) + 1)
    numbers = renumbered[components]
    corner = part.shifted(region.start_kji)
    boxes = find_objects(numbers)
    places = []
    for number, n in enumerate(order.tolist(), 1):
        own_box = boxes[number - 1]
        deepest = deepest_voxel(numbers[own_box] == number, mean[own_box])
        start = Region.from_slices(own_box).shifted(corner.start_kji).start_kji
        ijk = [at + first for at, first in zip(deepest, start, strict=True)][::-1]
        r, a, s = geometry.ras_from_ijk(ijk).tolist()
        ml = int(sizes[n]) * geometry.voxel_volume_mm3 / 1000
        places.append(Place(number, (r, a, s), ml, float(expected[n] / sizes[n])))
    return Looks(geometry, region, agreed, part, own, numbers, tuple(places))
