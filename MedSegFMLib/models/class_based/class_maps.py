"""Class scores of a volume, and the mask of each class on the volume's grid.

A network scores every class on its own grid. Only one class at a time is resampled to the volume's
voxels, so that a hundred classes need the memory of a few: beside the scores, only the winner of
each voxel and its margin are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits
from ...volumes.masks import bounding_box
from ...volumes.region import Region

Scores = NDArray[np.float16]
# Resamples a channel on the network's grid, of any real type, to float32 logits (k, j, i).
Restore = Callable[[NDArray[np.floating], int], Logits]

_SMALLEST = np.finfo(np.float32).tiny
_LARGEST = float(np.finfo(np.float16).max)
# The margin on each side of a class, so that its logits show where it ends.
_MARGIN_VOXELS = 32


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """The winner of each voxel and the scores.

    Attributes:
        scores: (channels, network's grid); the background's, if the network has one, come first.
        restore: Resamples a channel, given with its number, to (k, j, i).
        members: For each class the winning channels that belong to it; more than its own channel if
            classes are nested.
        channels: For each class its channel.
        winner: (k, j, i), 1 + the channel that has a voxel, 0 for none.
        best: The winner's logit. If classes may overlap, it is valid only if the winner is above 0.
        second: The runner-up's logit if classes compete; None if they may overlap.
    """

    scores: Scores
    restore: Restore
    members: tuple[tuple[int, ...], ...]
    channels: tuple[int, ...]
    winner: NDArray[np.uint16]
    best: NDArray[np.float16]
    second: NDArray[np.float16] | None

    @property
    def nbytes(self) -> int:
        """The memory of all arrays in bytes."""
        second = 0 if self.second is None else self.second.nbytes
        return self.scores.nbytes + self.winner.nbytes + self.best.nbytes + second

    def draw(self, number: int) -> tuple[Region, Logits]:
        """The logits of a class on the part of the volume around it: above 0 in its voxels.

        If classes compete, the value is the class's logit minus the highest of the others. If they
        overlap, it is the class's own logit, except in voxels where another class is drawn over it:
        there it is lower than that one's, so that of several objects the one drawn last gets each
        voxel. For a class without voxels a corner of the volume is returned.

        Args:
            number: The index of the class, from 0.
        """
        mask = np.isin(self.winner, [1 + channel for channel in self.members[number]])
        region = _around(mask)
        if not mask.any():
            return region, np.full(region.shape_kji, -1, np.float32)
        channel = self.channels[number]
        slices = region.slices
        inside, winner = mask[slices], self.winner[slices]
        logits = self.restore(self.scores[channel], channel)[slices].copy()
        best = self.best[slices].astype(np.float32)
        if self.second is None:
            covered = inside & (winner != 1 + channel)
            logits[covered] = np.minimum(logits[covered], best[covered] / 2)
        else:
            logits -= np.where(winner == 1 + channel, self.second[slices].astype(np.float32), best)
        logits[inside] = np.maximum(logits[inside], _SMALLEST)
        logits[~inside] = np.minimum(logits[~inside], 0)
        return region, logits


def competing(
    scores: NDArray[np.floating], channels: Sequence[int], restore: Restore, progress: Progress
) -> ClassMaps:
    """Class maps of mutually exclusive classes: each voxel belongs to the highest-scoring channel.

    Of equal scores the first channel wins, as in an argmax.

    Args:
        scores: (channels, network's grid).
        channels: The channel of each class, without the background's.
        restore: See `ClassMaps`.
        progress: Reports the channels done.
    """
    winner = best = second = None
    for number, channel in enumerate(scores):
        progress(number / len(scores), "Separating the classes")
        logits = restore(channel, number)
        if winner is None or best is None or second is None:
            winner, best = np.ones(logits.shape, np.uint16), logits
            second = np.full(logits.shape, -_LARGEST, np.float32)
            continue
        won = logits > best
        np.maximum(second, np.where(won, best, logits), out=second)
        best = np.where(won, logits, best)
        winner[won] = 1 + number
    assert winner is not None and best is not None and second is not None, "a network has channels"
    members = tuple((channel,) for channel in channels)
    return ClassMaps(
        _short(scores), restore, members, tuple(channels), winner, _short(best), _short(second)
    )


def overlapping(
    scores: NDArray[np.floating],
    members: Sequence[Sequence[int]],
    restore: Restore,
    progress: Progress,
) -> ClassMaps:
    """Class maps of classes that are drawn over one another in the order of the channels.

    A voxel belongs to the last channel whose logit is above 0.

    Args:
        scores: (channels, network's grid); one channel a class.
        members: For each class the channels that count as part of it if they are drawn last.
        restore: See `ClassMaps`.
        progress: Reports the channels done.
    """
    winner = best = None
    for number, channel in enumerate(scores):
        progress(number / len(scores), "Separating the classes")
        logits = restore(channel, number)
        if winner is None or best is None:
            winner, best = np.zeros(logits.shape, np.uint16), np.zeros_like(logits)
        won = logits > 0
        winner[won] = 1 + number
        best[won] = logits[won]
    assert winner is not None and best is not None, "a network has channels"
    # At least the smallest normal 16-bit number, so that half of it is still above 0.
    best = np.where(winner > 0, np.maximum(best, np.finfo(np.float16).tiny), best)
    numbers = tuple(range(len(scores)))
    class_members = tuple(map(tuple, members))
    return ClassMaps(_short(scores), restore, class_members, numbers, winner, _short(best), None)


def united(drawn: Sequence[tuple[Region, Logits]]) -> tuple[Region, Logits]:
    """Several classes as one object: the voxelwise maximum of their logits."""
    if len(drawn) == 1:
        return drawn[0]
    region = Region.enclosing([class_region for class_region, _ in drawn])
    logits = np.full(region.shape_kji, -_LARGEST, np.float32)
    for class_region, values in drawn:
        part = logits[class_region.relative_to(region).slices]
        np.maximum(part, values, out=part)
    return region, logits


def _short(values: NDArray[np.floating]) -> Scores:
    short = np.empty(values.shape, np.float16)
    for target, part in zip(short, values, strict=True):
        # Part by part: another copy of the scores of all classes may not fit into memory.
        target[:] = np.clip(part, -_LARGEST, _LARGEST)
    return short


def _around(mask: NDArray[np.bool_]) -> Region:
    """The bounding box of a mask plus a margin; a corner of the volume if the mask is empty."""
    box = bounding_box(mask)
    region = Region((0, 0, 0), (1, 1, 1)) if box is None else Region.from_slices(box)
    return region.grown([_MARGIN_VOXELS] * 3, mask.shape)
