"""Labelled volumes to train SAM3D's decoder on: variants, and the classes of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.sam3d.patches import ZScores
from ...labelled_volumes import LabelledVolume

# The one class of synthetic volumes, whose objects have no meaningful names.
ONE_CLASS = ("object",)

# Limits of a variant: gain and shift of the z-scores, the deviation of the noise, and the crop at
# the beginning as a part of a patch.
_GAINS = (0.75, 1.25)
_MOST_SHIFT = 0.25
_MOST_NOISE = 0.1
_MOST_LATER = 0.5


@dataclass(frozen=True, eq=False)
class ClassVolume:
    """A volume with classes.

    Attributes:
        image_kji: (K, J, I), whose z-scores are computed with `scores`.
        scores: the z-scores.
        classes_kji: (K, J, I) uint8, 0 for background.
    """

    image_kji: NDArray[Any]
    scores: ZScores
    classes_kji: NDArray[np.uint8]


def classes_in(volumes: Sequence[LabelledVolume]) -> tuple[str, ...]:
    """The names of all objects, in the order in which they first appear; case is ignored."""
    names: dict[str, str] = {}
    for volume in volumes:
        for name in volume.objects.values():
            names.setdefault(name.strip().casefold(), name.strip())
    return tuple(names.values())


def class_volume(volume: LabelledVolume, classes: Sequence[str]) -> ClassVolume:
    """A volume with the numbers of its classes, from 1 on; objects of no class become background.

    Args:
        volume: the volume.
        classes: the names of the classes; `ONE_CLASS` if all objects are of one class.
    """
    known = [name.casefold() for name in classes]
    numbers = np.zeros(volume.labels_kji.shape, np.uint8)
    for label, name in volume.objects.items():
        wanted = "object" if tuple(classes) == ONE_CLASS else name.strip().casefold()
        if wanted in known:
            numbers[volume.labels_kji == label] = 1 + known.index(wanted)
    array = volume.image.array_kji
    return ClassVolume(array, ZScores.from_volume(array), numbers)


def augmented(volume: ClassVolume, patch: int, rng: np.random.Generator) -> ClassVolume:
    """A variant of a volume: mirrored within slices, cropped, with other contrast and noise."""
    scored, classes = volume.scores.standardise(volume.image_kji), volume.classes_kji
    for axis in (1, 2):
        most = min(int(_MOST_LATER * patch), scored.shape[axis] - patch)
        later = int(rng.integers(0, most + 1)) if most > 0 else 0
        kept = [slice(None)] * 3
        kept[axis] = slice(later, None)
        scored, classes = scored[tuple(kept)], classes[tuple(kept)]
        if rng.random() < 0.5:
            scored, classes = np.flip(scored, axis), np.flip(classes, axis)
    shift = rng.uniform(-_MOST_SHIFT, _MOST_SHIFT)
    noise = rng.normal(0, rng.uniform(0, _MOST_NOISE), scored.shape)
    changed = (scored * rng.uniform(*_GAINS) + shift + noise).astype(np.float32)
    return ClassVolume(changed, ZScores(0.0, 1.0), np.ascontiguousarray(classes))
