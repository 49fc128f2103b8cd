"""Slices of labelled volumes as images, with an object's name as text and its mask as target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....errors import TrainingError
from ....models.medical_sam3.preprocessing import relative, sam3_preprocessor
from ....models.medical_sam3.tokenizer import PhraseTokenizer
from ....models.planar.grey_levels import GreyLevels, GreyWindow
from ....models.planar.stacks import stack_planes
from ....volumes.region import Region
from ...labelled_volumes import LabelledVolume
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
    """

    images: Tensor
    tokens: Tensor
    counts: Tensor
    slices: Tensor
    boxes: Tensor
    masks: Tensor

    @property
    def targets(self) -> Targets:
        """The targets of the detector."""
        return Targets(self.slices, self.boxes, self.masks, len(self.images))


@dataclass(frozen=True, eq=False)
class _Named:
    """An object in one plane of a volume, and the slices with and without it."""

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
        self._objects = [named for v in volumes for plane in planes for named in _objects(v, plane)]
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

    def scored(self, most: int) -> list[TextBatch]:
        """Slices with an object to score, one in a batch, spread over objects and their extents."""
        each = -(-most // len(self._objects))
        chosen = [
            (named, int(named.present[len(named.present) * (2 * n + 1) // (2 * each)]))
            for n in range(each)
            for named in self._objects
        ]
        return [self._made([one]) for one in dict.fromkeys(chosen[:most])]

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
            objects.append(_Named(slice_images, labels, label, phrase, present, absent))
    return objects


def _squashed(mask: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
    """A mask resampled to a square of 0 and 1, without losing any object."""
    from PIL import Image

    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    share = np.asarray(grey.resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
    return np.asarray(share >= min(_HALF, float(share.max()) / 2), np.float32)
