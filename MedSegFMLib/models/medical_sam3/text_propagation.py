"""Which slices are asked where there are words and no box: a few, then outward from those found.

The slices between two that say "not here" are skipped: an object that is thinner than the distance
of those two may be missed, and is found with a smaller one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of
from ...segmenter import Logits
from ...volumes.region import Region, Shape
from ..planar.propagation import SLACK, Marks, PixelPrompt, Propagation, SliceRequest, box_after


def first_requests(shape: Shape, boxes: tuple[Region, ...], stride: int) -> list[SliceRequest]:
    """Every `stride`-th slice of a stack (slices, rows, columns), or of those that boxes span.

    A slice in boxes is asked with a box around those that it is in.
    """
    marks = Marks(shape, boxes)
    return [
        (index, PixelPrompt(marks.rectangle(index)))
        for run in marks.slices()
        for index in range(run.start + (len(run) - 1) % stride // 2, run.stop, stride)
    ]


def propagate_text(shape: Shape, stride: int, again: bool) -> Propagation:
    """Through a stack (slices, rows, columns): every `stride`-th slice first, with words alone.

    From each where the object is, outward both ways: each slice is asked with the words and a box
    around its neighbour's mask, until one says that the object is not there. again: whether a slice
    that said so to words alone is asked again when a neighbour's box reaches it.
    """
    requests = first_requests(shape, (), stride)
    answers = yield requests
    found = {index: logits for (index, _), logits in zip(requests, answers, strict=True)}
    ways: dict[int, tuple[int, ...]] = {
        index: (-1, 1) for index, logits in found.items() if (logits > 0).any()
    }
    whole = (0, 0, *shape[1:])
    settled = set(ways) if again else set(found)
    while ways:
        following: dict[int, tuple[PixelPrompt, tuple[int, ...]]] = {}
        for index, steps in ways.items():
            for step in steps:
                reached = index + step
                if 0 <= reached < shape[0] and reached not in settled and reached not in following:
                    following[reached] = PixelPrompt(box_after(found[index], whole)), (step,)
        if not following:
            break
        requests = [(index, prompt) for index, (prompt, _) in following.items()]
        answers = yield requests
        settled.update(following)
        found.update((index, logits) for (index, _), logits in zip(requests, answers, strict=True))
        ways = {index: steps for index, (_, steps) in following.items() if (found[index] > 0).any()}
    return found


def run_propagation(
    propagation: Propagation,
    marks: Marks,
    predict: Callable[[list[SliceRequest], Progress], list[Logits]],
    progress: Progress,
) -> Mapping[int, Logits]:
    """Propagate through one stack; the last logits of each slice. `progress` may raise Cancelled.

    predict: gets slices and prompts, none of which depends on another; returns the logits of each.
    """
    most = max(1, sum(map(len, marks.slices())))
    done = 0
    try:
        requests = next(propagation)
        while True:
            share = part_of(
                progress, min(done / most, 1.0), min((done + len(requests)) / most, 1.0)
            )
            share(0.0, "Propagating from slice to slice")
            answers = predict(requests, share)
            done += len(requests)
            requests = propagation.send(answers)
    except StopIteration as end:
        found: Mapping[int, Logits] = end.value
        return found


def region_around_mask(mask_kji: NDArray[np.bool_]) -> Region | None:
    """A box around a mask (K, J, I), five voxels wider on each side; None where it is empty."""
    if not mask_kji.any():
        return None
    sides = [np.flatnonzero(mask_kji.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    tight = Region(
        (int(sides[0][0]), int(sides[1][0]), int(sides[2][0])),
        (int(sides[0][-1]) + 1, int(sides[1][-1]) + 1, int(sides[2][-1]) + 1),
    )
    shape = mask_kji.shape
    return tight.grown([SLACK] * 3, (shape[0], shape[1], shape[2]))
