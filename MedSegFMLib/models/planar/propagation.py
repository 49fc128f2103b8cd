"""Propagation from slice to slice: which slices are predicted, with what prompt, in which order.

As MedSAM segments volumes (Ma et al., "Segment anything in medical images", 2024): from the middle
slice of the box outward, each slice is prompted with the bounding box of its neighbour's mask plus
five pixels, or with the last known box if that mask is empty. Here every slice with a click is a
further starting point.

Boxes and points are in stack coordinates (slice, row, column); see `stacks`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, parts_of
from ...segmenter import Logits
from ...volumes.region import Region, Shape

# How far, in pixels, the object may extend beyond its neighbour's mask on the next slice.
SLACK = 5

Rectangle = tuple[int, int, int, int]
"""Half-open pixel bounds: first row, first column, row and column after the last."""

ClickedPixel = tuple[int, int, bool]
"""Row, column, and whether it belongs to the object."""


@dataclass(frozen=True)
class PixelPrompt:
    """The prompt of one slice: a box, points, or both."""

    box: Rectangle | None
    points: tuple[ClickedPixel, ...] = ()


SliceRequest = tuple[int, PixelPrompt]
Propagation = Generator[list[SliceRequest], list[Logits], dict[int, Logits]]
"""Yields requests, is sent their logits (rows, columns), returns the final logits by slice.

The requests of one step do not depend on one another.
"""


@dataclass(frozen=True)
class Marks:
    """One object's prompts on a stack.

    Attributes:
        shape: (slices, rows, columns) of the stack.
        boxes: In stack coordinates.
        points: (slice, row, column, positive) in the order they were given.
    """

    shape: Shape
    boxes: tuple[Region, ...]
    points: tuple[tuple[int, int, int, bool], ...] = ()

    def rectangle(self, index: int) -> Rectangle | None:
        """The bounding rectangle of the boxes that span a slice; None if no box does."""
        return _around(_rectangle(box) for box in self.boxes if _spans(box, index))

    def points_on(self, index: int) -> tuple[ClickedPixel, ...]:
        """The points of a slice."""
        return tuple(
            (row, column, positive) for n, row, column, positive in self.points if n == index
        )

    def limit(self) -> Rectangle:
        """The furthest extent of the object on any slice: slightly beyond its boxes and clicks."""
        whole = (0, 0, *self.shape[1:])
        if not self.boxes:
            return whole
        clicked = [(row, column, row + 1, column + 1) for _, row, column, on in self.points if on]
        around = _around([*map(_rectangle, self.boxes), *clicked])
        assert around is not None, "there is a box"
        return _grown(around, whole)

    def slices(self) -> list[range]:
        """The runs of slices that may be visited: the boxes', extended to positive clicks."""
        count = self.shape[0]
        if not self.boxes:
            return [range(count)]
        spans = [(box.start_kji[0], box.stop_kji[0]) for box in self.boxes]
        for index, _, _, positive in self.points:
            if positive and not any(start <= index < stop for start, stop in spans):
                start, stop = min(spans, key=lambda s: max(s[0] - index, index - s[1] + 1))
                spans.append((min(start, index), max(stop, index + 1)))
        allowed = {index for span in spans for index in range(*span)}
        starts = sorted(index for index in allowed if index - 1 not in allowed)
        stops = sorted(index + 1 for index in allowed if index + 1 not in allowed)
        return [range(*run) for run in zip(starts, stops, strict=True)]


def propagate(marks: Marks) -> Propagation:
    """Propagate through one stack: first from the boxes or the first click, then from every click.

    A clicked slice is prompted with the box it had before the click, so that a further click
    changes only what follows from it. Without boxes the propagation ends with the mask.
    """
    begun = seeds(marks)
    if not begun:
        return {}
    predictions = yield from _spread(marks, begun)
    anchors = {
        **begun,
        **_clicked(marks, {index: prompt for index, (prompt, _) in predictions.items()}),
    }
    if anchors != begun:
        predictions = yield from _spread(marks, anchors)
    return {index: logits for index, (_, logits) in predictions.items()}


def propagate_together(
    marks: Mapping[str, Marks],
    predict: Callable[[list[tuple[str, int, PixelPrompt]], Progress], list[Logits]],
    progress: Progress,
) -> dict[str, dict[int, Logits]]:
    """Propagate through several stacks in step, so that `predict` gets many slices at once.

    Args:
        marks: The prompts by the name of the stack.
        predict: Returns the logits of each (name, slice, prompt).
        progress: May raise Cancelled at every step.

    Returns:
        Each stack's logits by slice.
    """
    propagations = {name: propagate(m) for name, m in marks.items()}
    done: dict[str, dict[int, Logits]] = {}
    waiting: dict[str, list[SliceRequest]] = {}

    def advance(name: str, logits: list[Logits] | None) -> None:
        try:
            step = next(propagations[name]) if logits is None else propagations[name].send(logits)
            waiting[name] = step
        except StopIteration as end:
            waiting.pop(name, None)
            done[name] = end.value

    for name in propagations:
        advance(name, None)
    for share in parts_of(progress, max(1, *map(_step_limit, marks.values()))):
        share(0.0, "Propagating from slice to slice")
        if not waiting:
            break
        requested = [(name, *a) for name, requests in waiting.items() for a in requests]
        logits = iter(predict(requested, share))
        for name, count in [(name, len(requests)) for name, requests in waiting.items()]:
            advance(name, [next(logits) for _ in range(count)])
    assert not waiting, "no propagation takes more steps than it has slices"
    return {name: done[name] for name in marks}


def _step_limit(marks: Marks) -> int:
    """The largest number of steps of a propagation: it visits each run of slices twice."""
    return 2 * max(map(len, marks.slices())) + 1


def seeds(marks: Marks) -> dict[int, PixelPrompt]:
    """The slices from which a propagation without further clicks starts."""
    middles = [(box.start_kji[0] + box.stop_kji[0]) // 2 for box in marks.boxes]
    begun = {index: PixelPrompt(marks.rectangle(index)) for index in middles}
    if not begun:
        for index, row, column, positive in marks.points:
            if positive:
                return {index: PixelPrompt(None, ((row, column, True),))}
    return begun


def _clicked(marks: Marks, before: Mapping[int, PixelPrompt]) -> dict[int, PixelPrompt]:
    """The clicked slices with their points and, if one is known, a box around the object."""
    whole = (0, 0, *marks.shape[1:])
    anchors = {}
    for index in dict.fromkeys(point[0] for point in marks.points):
        points = marks.points_on(index)
        inside = [(row, column, row + 1, column + 1) for row, column, on in points if on]
        if index in before:
            box = before[index].box
        elif not inside:
            # A background click beyond the object's slices changes nothing.
            continue
        else:
            box = marks.rectangle(index)
        if box is not None and any(_around([box, pixel]) != box for pixel in inside):
            box = _around([box, *(_grown(pixel, whole) for pixel in inside)])
        anchors[index] = PixelPrompt(box, points)
    return anchors


def _spread(
    marks: Marks, anchors: Mapping[int, PixelPrompt]
) -> Generator[list[SliceRequest], list[Logits], dict[int, tuple[PixelPrompt, Logits]]]:
    """Propagate outward from all anchors in step, so that each slice is reached from the nearest.

    If two anchors are equally near, the one with the lower number wins.
    """
    limit = marks.limit()
    fallback = _around(map(_rectangle, marks.boxes))
    allowed = {index for run in marks.slices() for index in run}
    predictions: dict[int, tuple[PixelPrompt, Logits]] = {}
    requests = dict(sorted(anchors.items()))
    steps: dict[int, tuple[int, ...]] = dict.fromkeys(requests, (-1, 1))
    while requests:
        answers = yield list(requests.items())
        predictions.update(
            (index, (prompt, logits))
            for (index, prompt), logits in zip(requests.items(), answers, strict=True)
        )
        following: dict[int, PixelPrompt] = {}
        next_steps: dict[int, tuple[int, ...]] = {}
        for index in requests:
            prompt, logits = predictions[index]
            box = box_after(logits, limit)
            if box is None and marks.boxes:
                box = prompt.box or fallback
            if box is None:
                continue
            for direction in steps[index]:
                neighbour = index + direction
                if (
                    neighbour in allowed
                    and neighbour not in predictions
                    and neighbour not in following
                ):
                    following[neighbour], next_steps[neighbour] = PixelPrompt(box), (direction,)
        requests, steps = following, next_steps
    return predictions


def box_after(logits: Logits, limit: Rectangle) -> Rectangle | None:
    """The next slice's box: around this slice's mask, grown and clipped to the object's limit."""
    mask: NDArray[np.bool_] = logits > 0
    top, left, bottom, right = limit
    rows = np.flatnonzero(mask[top:bottom, left:right].any(axis=1)) + top
    columns = np.flatnonzero(mask[top:bottom, left:right].any(axis=0)) + left
    if not len(rows):
        return None
    around = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    return _grown(around, limit)


def _spans(box: Region, index: int) -> bool:
    return box.start_kji[0] <= index < box.stop_kji[0]


def _rectangle(box: Region) -> Rectangle:
    return (*box.start_kji[1:], *box.stop_kji[1:])


def _around(rectangles: Iterable[Rectangle]) -> Rectangle | None:
    given = list(rectangles)
    if not given:
        return None
    top, left, bottom, right = zip(*given, strict=True)
    return (min(top), min(left), max(bottom), max(right))


def _grown(rectangle: Rectangle, limit: Rectangle) -> Rectangle:
    """The rectangle `SLACK` larger on each side, clipped to a limit."""
    top, left, bottom, right = rectangle
    return (
        max(top - SLACK, limit[0]),
        max(left - SLACK, limit[1]),
        min(bottom + SLACK, limit[2]),
        min(right + SLACK, limit[3]),
    )
