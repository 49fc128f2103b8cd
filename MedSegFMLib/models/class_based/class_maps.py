"""The scores that a network of classes gave a volume, and each class drawn of them on its grid.

A network scores each class in its own grid. Bringing one class at a time to the volume's voxels
keeps a hundred classes in the memory of a few: beside the scores only who won each voxel is kept,
and by how much.
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
# A channel of the network's grid, any real type, becomes float32 logits on the volume's (k, j, i).
Restore = Callable[[NDArray[np.floating], int], Logits]

_SMALLEST = np.finfo(np.float32).tiny
_LARGEST = float(np.finfo(np.float16).max)
# Beyond a class on each side, so that whoever looks at its logits sees where it ends.
_MARGIN_VOXELS = 32


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """Who has which voxel, and the scores.

    scores: (channels, network's grid); those of the background, where it has one, come first.
    restore: brings a channel, given with its number, to (k, j, i).
    members: for each class the winners that it holds; more than its own where classes lie in one
        another.
    channels: for each class its channel.
    winner: (k, j, i), 1 + the channel that has a voxel, 0 for none.
    best, second: the winner's logit and that of the next, where classes compete; where they may
        overlap `second` is None, and `best` counts where the winner is above 0.
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
        """The memory that all arrays take."""
        second = 0 if self.second is None else self.second.nbytes
        return self.scores.nbytes + self.winner.nbytes + self.best.nbytes + second

    def draw(self, number: int) -> tuple[Region, Logits]:
        """The logits of a class, counted from 0, around where it is: above 0 where it has voxels.

        Where classes compete that is its logit less the highest of the others; where they overlap,
        its own, but in voxels that another one is drawn over lower than that one's, so that of
        several objects each voxel goes to the one drawn last. A class that is nowhere gets a
        corner.
        """
        held = np.isin(self.winner, [1 + channel for channel in self.members[number]])
        region = _around(held)
        if not held.any():
            return region, np.full(region.shape_kji, -1, np.float32)
        channel = self.channels[number]
        here = region.slices
        inside, winner = held[here], self.winner[here]
        own = self.restore(self.scores[channel], channel)[here].copy()
        best = self.best[here].astype(np.float32)
        if self.second is None:
            covered = inside & (winner != 1 + channel)
            own[covered] = np.minimum(own[covered], best[covered] / 2)
        else:
            own -= np.where(winner == 1 + channel, self.second[here].astype(np.float32), best)
        own[inside] = np.maximum(own[inside], _SMALLEST)
        own[~inside] = np.minimum(own[~inside], 0)
        return region, own


def competing(
    scores: NDArray[np.floating], channels: Sequence[int], restore: Restore, progress: Progress
) -> ClassMaps:
    """Maps of classes of which each voxel has one: the channel with the highest score.

    scores: (channels, network's grid). channels: that of each class, without the background's.
    Of equal scores the first channel wins, as in an argmax.
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
    """Maps of classes that are drawn over one another in the order of the channels.

    A voxel is the last channel's whose logit is above 0. members: for each class, one a channel,
    the channels that count as it where they are drawn last.
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
    # The least that 16 bits can hold, so that half of it still is above 0.
    best = np.where(winner > 0, np.maximum(best, np.finfo(np.float16).tiny), best)
    numbers = tuple(range(len(scores)))
    held = tuple(tuple(own) for own in members)
    return ClassMaps(_short(scores), restore, held, numbers, winner, _short(best), None)


def united(drawn: Sequence[tuple[Region, Logits]]) -> tuple[Region, Logits]:
    """Several classes as one object: in each voxel the highest of their logits."""
    if len(drawn) == 1:
        return drawn[0]
    region = Region.enclosing([own for own, _ in drawn])
    logits = np.full(region.shape_kji, -_LARGEST, np.float32)
    for own, values in drawn:
        here = logits[own.relative_to(region).slices]
        np.maximum(here, values, out=here)
    return region, logits


def _short(values: NDArray[np.floating]) -> Scores:
    short = np.empty(values.shape, np.float16)
    for own, part in zip(short, values, strict=True):
        # Part by part: another copy of the scores of all classes may not fit into memory.
        own[:] = np.clip(part, -_LARGEST, _LARGEST)
    return short


def _around(held: NDArray[np.bool_]) -> Region:
    """Where a mask is, and some voxels more; a corner of the volume where it is nowhere."""
    box = bounding_box(held)
    found = Region((0, 0, 0), (1, 1, 1)) if box is None else Region.from_slices(box)
    return found.grown([_MARGIN_VOXELS] * 3, held.shape)
