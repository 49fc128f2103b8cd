"""Slices of labelled volumes as images, with an object's name as text and its mask as target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....errors import TrainingError
from ....models.medical_sam3.preprocessing import relative, sam3_preprocessor
from ....models.medical_sam3.tokenizer import PhraseTokenizer
from ....models.planar.grey_levels import GreyLevels, GreyWindow
from ....models.planar.stacks import PLANE_NAMES, StackPlane, stack_planes
from ....volumes.region import Region
from ...labelled_volumes import LabelledVolume
from .crossing import PAIRS, lines, voxel_of
from .matching import Targets

# If no resampled pixel reaches a half, those with at least half of the maximum are kept.
_HALF = 0.5


@dataclass(frozen=True, eq=False)
class TextBatch:
    """n slices, each with the text for one object, which may be absent from it.

    Attributes:
        images: (n, 3, side, side), the network's input.
        tokens: (n, t) int64, the text.
        counts: (n, t) int64, 1 for the tokens that count.
        slices: (t,) int64, the slices with an object.
        boxes: (t, 4), centre and widths of these objects as fractions of the slice.
        masks: (t, h, h), their masks, 0 or 1.
        pairs: (p, 2) int64, slices that intersect; none unless slices are crossed.
        points: (p, 2, h, 2), x and y of points on these lines in both slices, as fractions.
    """

    images: Tensor
    tokens: Tensor
    counts: Tensor
    slices: Tensor
    boxes: Tensor
    masks: Tensor
    pairs: Tensor = field(default_factory=lambda: torch.zeros((0, 2), dtype=torch.int64))
    points: Tensor = field(default_factory=lambda: torch.zeros((0, 2, 1, 2)))

    @property
    def targets(self) -> Targets:
        """The targets of the detector."""
        return Targets(self.slices, self.boxes, self.masks, len(self.images))


@dataclass(frozen=True, eq=False)
class _Named:
    """An object in one plane of a volume, and the slices with and without it."""

    plane: StackPlane
    slice_images: GreyLevels
    labels: NDArray[np.int16]
    label: int
    name: str
    present: NDArray[np.int64]
    absent: NDArray[np.int64]


class Slices:
    """The slices of volumes in some planes.

    Args:
        volumes: the volumes.
        planes: the names of the planes.
        side: the side of the network's images.
        mask_side: the side of its masks.
        words: the tokenizer.

    Raises:
        TrainingError: no volume has an object.
    """

    def __init__(
        self,
        volumes: Sequence[LabelledVolume],
        planes: Sequence[str],
        side: int,
        mask_side: int,
        words: PhraseTokenizer,
    ) -> None:
        self._preprocessor = sam3_preprocessor(side)
        self._mask_side = mask_side
        self._words = words
        by_plane = [[_objects(volume, plane) for plane in planes] for volume in volumes]
        self._objects = [named for found in by_plane for part in found for named in part]
        self._in_planes = [each for found in by_plane for each in zip(*found, strict=True)]
        if not self._objects:
            raise TrainingError("No volume has a named object; list some under 'objects'.")

    def batch(self, size: int, absent_share: float, rng: np.random.Generator) -> TextBatch:
        """Random slices: an object, all equally likely, then a slice with it or without it."""
        chosen = []
        for _ in range(size):
            named = self._objects[int(rng.integers(len(self._objects)))]
            without = rng.random() < absent_share and len(named.absent) > 0
            chosen.append((named, int(rng.choice(named.absent if without else named.present))))
        return self._made(chosen)

    def crossed(self, size: int, absent_share: float, rng: np.random.Generator) -> TextBatch:
        """Random objects in three slices each, through a voxel of it, or in none of which it is."""
        chosen: list[tuple[_Named, int]] = []
        crossed = []
        for _ in range(size):
            planes = self._in_planes[int(rng.integers(len(self._in_planes)))]
            if rng.random() < absent_share and all(len(named.absent) for named in planes):
                chosen += [(named, int(rng.choice(named.absent))) for named in planes]
            else:
                crossed.append((len(chosen), *self._through(planes, rng)))
                chosen += crossed[-1][1]
        batch = self._made(chosen)
        if not crossed:
            return batch
        pairs = [[first + n for n in pair] for first, _, _ in crossed for pair in PAIRS]
        return replace(
            batch, pairs=torch.tensor(pairs), points=torch.cat([points for *_, points in crossed])
        )

    def scored(self, most: int) -> list[TextBatch]:
        """Slices with an object to score, one in a batch, spread over objects and their extents."""
        each = -(-most // len(self._objects))
        chosen = [
            (named, int(named.present[len(named.present) * (2 * n + 1) // (2 * each)]))
            for n in range(each)
            for named in self._objects
        ]
        return [self._made([one]) for one in dict.fromkeys(chosen[:most])]

    def scored_crossed(self, most: int) -> list[TextBatch]:
        """Three slices in a batch, through voxels of objects; `most` slices at most."""
        rng = np.random.default_rng(0)
        return [self.crossed(1, 0.0, rng) for _ in range(max(1, most // len(PLANE_NAMES)))]

    def _through(
        self, planes: Sequence[_Named], rng: np.random.Generator
    ) -> tuple[list[tuple[_Named, int]], Tensor]:
        """The slices of three planes through a random voxel of an object, and their lines."""
        axial = planes[0]
        index = int(rng.choice(axial.present))
        rows, columns = np.nonzero(axial.labels[index] == axial.label)
        one = int(rng.integers(len(rows)))
        shape_kji = [0, 0, 0]
        for axis, length in zip(axial.plane.axes_kji, axial.labels.shape, strict=True):
            shape_kji[axis] = length
        voxel = voxel_of(axial.plane, (index, int(rows[one]), int(columns[one])), shape_kji)
        slices = [
            (named, int(named.plane.voxels(np.array([voxel]), shape_kji)[0, 0])) for named in planes
        ]
        points = lines([named.plane for named in planes], voxel, shape_kji, self._mask_side)
        return slices, points

    def _made(self, chosen: Sequence[tuple[_Named, int]]) -> TextBatch:
        images, places, boxes, masks = [], [], [], []
        for place, (named, index) in enumerate(chosen):
            slice_image = named.slice_images[index]
            shape = (slice_image.shape[0], slice_image.shape[1])
            images.append(
                self._preprocessor.images(slice_image[None], self._preprocessor.resize_plan(shape))[
                    0
                ]
            )
            mask = named.labels[index] == named.label
            if mask.any():
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                box = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
                places.append(place)
                boxes.append(relative(box, shape))
                masks.append(_squashed(mask, self._mask_side))
        tokens, counts = self._words.tokens([named.name for named, _ in chosen])
        square = (self._mask_side, self._mask_side)
        return TextBatch(
            torch.from_numpy(np.stack(images)),
            tokens,
            counts,
            torch.tensor(places, dtype=torch.int64),
            torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            torch.from_numpy(np.array(masks, np.float32).reshape(-1, *square)),
        )


def _objects(volume: LabelledVolume, name: str) -> list[_Named]:
    """The objects of a volume in one plane."""
    image = volume.image
    plane = stack_planes(image.geometry)[name]
    window = GreyWindow.from_volume(image)
    whole = Region.whole(image.geometry.shape_kji)
    slice_images: GreyLevels = plane.stack(window.grey_levels(image.array_kji, whole))
    labels: NDArray[np.int16] = plane.stack(volume.labels_kji)
    objects = []
    for label, phrase in volume.objects.items():
        is_shown = (labels == label).any(axis=(1, 2))
        if is_shown.any():
            present, absent = np.flatnonzero(is_shown), np.flatnonzero(~is_shown)
            objects.append(_Named(plane, slice_images, labels, label, phrase, present, absent))
    return objects


def _squashed(mask: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
    """A mask resampled to a square of 0 and 1, without losing any object."""
    from PIL import Image

    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    share = np.asarray(grey.resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
    return np.asarray(share >= min(_HALF, float(share.max()) / 2), np.float32)
