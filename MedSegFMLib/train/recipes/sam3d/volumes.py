"""Labelled volumes to train SAM3D's decoder on, with the classes of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import TrainingError
from ....models.sam3d.patches import ZScores
from ....volumes.segmentations.vocabulary import one_meaning
from ....volumes.segmentations.vocabulary_table import Reading
from ...labelled_volumes import LabelledVolume

# The one class of synthetic volumes, whose objects have no meaningful names.
ONE_CLASS = ("object",)


@dataclass(frozen=True, eq=False)
class ClassVolume:
    """A volume with classes.

    Attributes:
        images_kji: its images (K, J, I), whose z-scores are computed with `scores`.
        scores: the z-scores of each image.
        classes_kji: (K, J, I) uint8, 0 for background.
    """

    images_kji: tuple[NDArray[Any], ...]
    scores: tuple[ZScores, ...]
    classes_kji: NDArray[np.uint8]


def classes_in(volumes: Sequence[LabelledVolume]) -> tuple[str, ...]:
    """The classes of all objects, in the order in which they first appear, by their first names.

    Names of one meaning, such as "left kidney" and "Kidney (L)", are one class.
    """
    names: dict[Reading, str] = {}
    for volume in volumes:
        for name in volume.objects.values():
            names.setdefault(one_meaning(name), name.strip())
    return tuple(names.values())


def class_volume(volume: LabelledVolume, classes: Sequence[str]) -> ClassVolume:
    """A volume with the numbers of its classes, from 1 on; objects of no class become background.

    Args:
        volume: the volume.
        classes: the names of the classes; `ONE_CLASS` if all objects are of one class.
    """
    known = [one_meaning(name) for name in classes]
    is_one_class = tuple(classes) == ONE_CLASS
    numbers = np.zeros(volume.labels_kji.shape, np.uint8)
    for label, name in volume.objects.items():
        wanted = known[0] if is_one_class else one_meaning(name)
        if wanted in known:
            numbers[volume.labels_kji == label] = 1 + known.index(wanted)
    images = volume.image.arrays
    return ClassVolume(images, tuple(map(ZScores.from_volume, images)), numbers)


def channels_of(volumes: Sequence[LabelledVolume]) -> tuple[str, ...]:
    """The names of the images that every volume has, in their order; () for one image.

    Raises:
        TrainingError: the volumes have different images.
    """
    first = tuple(volumes[0].image.images)
    for volume in volumes:
        names = tuple(volume.image.images)
        if names != first:
            raise TrainingError(
                f"Case {volume.name} has the images {', '.join(names) or 'one'}, and "
                f"{volumes[0].name} {', '.join(first) or 'one'}; give all cases the same, in one "
                "order."
            )
    return first
