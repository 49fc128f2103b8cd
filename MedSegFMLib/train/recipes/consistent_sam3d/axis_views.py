"""A volume as slices along each of its axes, and the patches of two such views that meet.

The lines of "The Cost of Consistency", in which slices of two planes meet, are blocks here: a patch
of slices along the first axis and one of slices along another share a block of voxels, to each of
which the decoder gives classes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.sam3d.network import Sam3dDecoder
from ..sam3d.patches import PatchVolume, Place
from ..sam3d.volumes import ClassVolume

Order = tuple[int, int, int]

STRAIGHT: Order = (0, 1, 2)
TURNED: tuple[Order, ...] = ((1, 0, 2), (2, 0, 1))
"""The axis of the volume that each axis of a view is."""

# Probabilities become logits within these limits.
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class AxisView:
    """A volume whose slices along one axis were encoded.

    Attributes:
        order: the axis of the volume that each axis of the view is.
        patches: the view, to cut patches from.
    """

    order: Order
    patches: PatchVolume

    def answer(
        self, decoder: Sam3dDecoder, place: Place, device: torch.device
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """The logits (classes, k, j, i) of a patch in the volume's order, and its first voxel."""
        features = torch.from_numpy(self.patches.features(place)).to(device)
        logits: Tensor = decoder(features[None].float())[0]
        back = np.argsort(self.order)
        turned = logits.permute(0, *(int(axis) + 1 for axis in back))
        return turned, self.patches.start(place)[back]


def turned_volume(volume: ClassVolume, order: Order) -> ClassVolume:
    """A volume with its axes in another order."""
    return ClassVolume(
        tuple(np.ascontiguousarray(image.transpose(order)) for image in volume.images_kji),
        volume.scores,
        np.ascontiguousarray(volume.classes_kji.transpose(order)),
    )


def meeting_answers(
    decoder: Sam3dDecoder,
    views: Sequence[AxisView],
    foreground_share: float,
    rng: np.random.Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """The logits of two views of a volume in the block in which a patch of each meets the other.

    Args:
        decoder: the decoder.
        views: of one volume, the one along the first axis first.
        foreground_share: the share of blocks around a voxel of a random class.
        rng: draws the other view, the voxel and the patches.
        device: the device of the decoder.

    Returns:
        (classes - 1, k, j, i) twice: for each class but background, the logit of its probability
        beside all others together.
    """
    straight = views[0]
    pair = (straight, views[1 + int(rng.integers(len(views) - 1))])
    voxel = straight.patches.voxel(bool(rng.random() < foreground_share), rng)
    answers, starts, ends = [], [], [np.array(straight.patches.shape_kji)]
    for view in pair:
        place = view.patches.place_of(voxel[list(view.order)], rng)
        answer, start = view.answer(decoder, place, device)
        answers.append(answer)
        starts.append(start)
        ends.append(start + answer.shape[1:])
    low = np.maximum(np.max(starts, axis=0), 0)
    high = np.min(ends, axis=0)
    blocks = []
    for answer, start in zip(answers, starts, strict=True):
        k, j, i = (slice(int(a), int(b)) for a, b in zip(low - start, high - start, strict=True))
        blocks.append(class_logits(answer[:, k, j, i].float()))
    return blocks[0], blocks[1]


def class_logits(logits: Tensor) -> Tensor:
    """From logits (classes, …) of a softmax: those of each class but background by itself."""
    return logits.softmax(0)[1:].logit(eps=_LEAST)
