"""Voxels to train on: on the surfaces of objects, and where the planes of the base disagree."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import count, zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from ....errors import TrainingError
from ....models.planar.stacks import LEAST_SIDE
from ....segmenter import RegionRule
from ....volumes.masks import bounding_box
from ....volumes.region import Region
from ...labelled_volumes import LabelledVolume
from .plane_views import PlaneStacks, View

Voxels = NDArray[np.int32]

# Enough voxels of one kind for an object.
_MOST_VOXELS = 50_000


@dataclass(frozen=True, eq=False)
class Sample:
    """The views through one voxel: axial, coronal, sagittal."""

    views: list[View]


@dataclass(eq=False)
class TrainedObject:
    """An object of a volume, the region that views show of it, and its voxels to sample from.

    Attributes:
        volume: the volume.
        stacks: its stacks.
        label: the label of the object.
        region: the region that views show.
        surface: (n, 3) indices (k, j, i) of the voxels on its surface.
        hot: (n, 3) indices of its voxels where the planes of the base disagree; empty until
            computed.
    """

    volume: LabelledVolume
    stacks: PlaneStacks
    label: int
    region: Region
    surface: Voxels
    hot: Voxels = field(default_factory=lambda: np.zeros((0, 3), np.int32))

    @property
    def mask_kji(self) -> NDArray[np.bool_]:
        """The object as a mask (K, J, I) of the volume."""
        return np.asarray(self.volume.labels_kji == self.label)


def trained_objects(
    volumes: Sequence[LabelledVolume], rule: RegionRule | None
) -> list[TrainedObject]:
    """All objects of volumes.

    Args:
        volumes: the volumes.
        rule: the margin of the objects' regions; None shows whole slices.

    Raises:
        TrainingError: a volume is too thin for three planes.
    """
    objects = []
    for volume in volumes:
        check_thick_enough(volume)
        shape = volume.labels_kji.shape
        tight: dict[int, Region] = {}
        for label in volume.objects:
            box = bounding_box(volume.labels_kji == label)
            assert box is not None, "labels without voxels are refused where they are read"
            tight[label] = Region.from_slices(box)
        regions = {
            label: Region.whole(shape)
            if rule is None
            else box_region.grown(rule.margin(box_region), shape)
            for label, box_region in tight.items()
        }
        stacks = PlaneStacks(volume, Region.enclosing(list(regions.values())))
        for label, region in regions.items():
            surface = _surface(volume.labels_kji == label, tight[label])
            objects.append(TrainedObject(volume, stacks, label, region, surface))
    return objects


def check_thick_enough(volume: LabelledVolume) -> None:
    """Check that a volume has enough voxels for slices in every plane.

    Raises:
        TrainingError: it has too few along an axis.
    """
    if min(volume.labels_kji.shape) < LEAST_SIDE:
        shape = " x ".join(map(str, volume.labels_kji.shape[::-1]))
        raise TrainingError(
            f"{volume.name} has {shape} voxels, but three planes need {LEAST_SIDE} along each "
            "axis; leave it out."
        )


def spread(objects: Sequence[TrainedObject], most: int) -> list[TrainedObject]:
    """At most `most` objects, taken from each volume in turn."""
    by_volume: dict[str, list[TrainedObject]] = {}
    for target in objects:
        by_volume.setdefault(target.volume.name, []).append(target)
    turns = zip_longest(*by_volume.values())
    return [target for turn in turns for target in turn if target is not None][:most]


class Samples:
    """All samples of a training run, an endless numbered sequence."""

    def __init__(self, objects: Sequence[TrainedObject], hot_share: float, seed: int) -> None:
        self._objects = objects
        self._hot_share = hot_share
        self._seed = seed

    def __getitem__(self, number: int) -> Sample:
        """The sample of a number; always the same for the same objects and seed."""
        rng = np.random.default_rng((self._seed, number))
        chosen = self._objects[int(rng.integers(len(self._objects)))]
        hot = rng.random() < self._hot_share and len(chosen.hot) > 0
        voxels = chosen.hot if hot else chosen.surface
        voxel = voxels[rng.integers(len(voxels))].tolist()
        return Sample(chosen.stacks.views(chosen.label, chosen.region, voxel, rng))

    def from_number(self, first: int, stride: int) -> Generator[Sample, None, None]:
        """Every `stride`-th sample from number `first` on."""
        for number in count(first, stride):
            yield self[number]


def thinned(voxels: NDArray[np.integer]) -> Voxels:
    """(n, 3) indices, at most 50,000 of them, evenly chosen."""
    step = -(-len(voxels) // _MOST_VOXELS) or 1
    return np.ascontiguousarray(voxels[::step], np.int32)


def _surface(mask: NDArray[np.bool_], tight: Region) -> Voxels:
    inside = np.pad(mask[tight.slices], 1)
    edge = (inside & ~binary_erosion(inside))[1:-1, 1:-1, 1:-1]
    return thinned(np.argwhere(edge) + np.array(tight.start_kji))
