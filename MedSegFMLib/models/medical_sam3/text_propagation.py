"""Propagation from text without a box: a few slices first, then outward from the detections.

The slices between two on which the object is absent are skipped: an object thinner than the
distance between those two may be missed, and is found with a smaller distance.
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

    The prompt of a slice in boxes is a rectangle around those boxes.
    """
    marks = Marks(shape, boxes)
    return [
        (index, PixelPrompt(marks.rectangle(index)))
        for run in marks.slices()
        for index in range(run.start + (len(run) - 1) % stride // 2, run.stop, stride)
    ]


def propagate_text(shape: Shape, stride: int, again: bool) -> Propagation:
    """Propagate through a stack (slices, rows, columns), starting at every `stride`-th slice.

    The first slices are prompted with text only. From each detection the propagation continues both
    ways: each slice is prompted with the text and a box around its neighbour's mask, until the
    object is absent.

    Args:
        shape: (slices, rows, columns).
        stride: The distance of the first slices.
        again: Whether a first slice without a detection is prompted again when a neighbour's box
            reaches it.
    """
    requests = first_requests(shape, (), stride)
    answers = yield requests
    predictions = {index: logits for (index, _), logits in zip(requests, answers, strict=True)}
    directions: dict[int, tuple[int, ...]] = {
        index: (-1, 1) for index, logits in predictions.items() if (logits > 0).any()
    }
    whole = (0, 0, *shape[1:])
    settled = set(directions) if again else set(predictions)
    while directions:
        following: dict[int, tuple[PixelPrompt, tuple[int, ...]]] = {}
        for index, steps in directions.items():
            for step in steps:
                neighbour = index + step
                is_new = neighbour not in settled and neighbour not in following
                if 0 <= neighbour < shape[0] and is_new:
                    box = box_after(predictions[index], whole)
                    following[neighbour] = PixelPrompt(box), (step,)
        if not following:
            break
        requests = [(index, prompt) for index, (prompt, _) in following.items()]
        answers = yield requests
        settled.update(following)
        predictions.update(
            (index, logits) for (index, _), logits in zip(requests, answers, strict=True)
        )
        directions = {
            index: steps
            for index, (_, steps) in following.items()
            if (predictions[index] > 0).any()
        }
    return predictions


def search_slices(shape: Shape) -> Propagation:
    """Prompt every slice of a stack (slices, rows, columns) with text only; nothing propagates."""
    requests = first_requests(shape, (), 1)
    answers = yield requests
    return {index: logits for (index, _), logits in zip(requests, answers, strict=True)}


def run_propagation(
    propagation: Propagation,
    marks: Marks,
    predict: Callable[[list[SliceRequest], Progress], list[Logits]],
    progress: Progress,
) -> Mapping[int, Logits]:
    """Run a propagation through one stack and return the final logits of each slice.

    Args:
        propagation: From `propagate` or `propagate_text`.
        marks: The prompts on the stack.
        predict: Returns the logits of each requested slice; the requests are independent.
        progress: May raise Cancelled.
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
        final_logits: Mapping[int, Logits] = end.value
        return final_logits


def region_around_mask(mask_kji: NDArray[np.bool_]) -> Region | None:
    """A box around a mask (K, J, I), five voxels wider on each side; None for an empty mask."""
    if not mask_kji.any():
        return None
    sides = [np.flatnonzero(mask_kji.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    tight = Region(
        (int(sides[0][0]), int(sides[1][0]), int(sides[2][0])),
        (int(sides[0][-1]) + 1, int(sides[1][-1]) + 1, int(sides[2][-1]) + 1),
    )
    shape = mask_kji.shape
    return tight.grown([SLACK] * 3, (shape[0], shape[1], shape[2]))
