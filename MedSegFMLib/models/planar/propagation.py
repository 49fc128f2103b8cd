"""From slice to slice: which slices are asked, with what prompt, and in which order.

As MedSAM segments volumes (Ma et al., "Segment anything in medical images", 2024): from the middle
slice of the box outward, each slice prompted with the bounding box of its neighbour's mask and five
pixels more, or with the last box that is known where that mask is empty. Here every slice with a
click is a further place to start from.

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

# How far beyond a neighbour's mask, in pixels, the object may reach on the next slice.
SLACK = 5

Rectangle = tuple[int, int, int, int]
"""Half-open pixel bounds: first row, first column, row and column after the last."""

ClickedPixel = tuple[int, int, bool]
"""Row, column, and whether it belongs to the object."""


@dataclass(frozen=True)
class PixelPrompt:
    """What a slice is asked: a box, points, or both."""

    box: Rectangle | None
    points: tuple[ClickedPixel, ...] = ()


SliceRequest = tuple[int, PixelPrompt]
Propagation = Generator[list[SliceRequest], list[Logits], dict[int, Logits]]
"""Yields what to ask of which slices, is sent their logits (rows, columns), returns the last ones.

The asks of one step do not depend on one another.
"""


@dataclass(frozen=True)
class Marks:
    """One object's prompts on a stack of `shape` (slices, rows, columns).

    points: (slice, row, column, positive) in the order they were given.
    """

    shape: Shape
    boxes: tuple[Region, ...]
    points: tuple[tuple[int, int, int, bool], ...] = ()

    def rectangle(self, index: int) -> Rectangle | None:
        """Around the boxes that span a slice."""
        return _around(_rectangle(box) for box in self.boxes if _spans(box, index))

    def points_on(self, index: int) -> tuple[ClickedPixel, ...]:
        """The points of a slice."""
        return tuple((row, column, yes) for n, row, column, yes in self.points if n == index)

    def limit(self) -> Rectangle:
        """How far the object may reach on any slice: a little beyond boxes and clicks on it."""
        whole = (0, 0, *self.shape[1:])
        if not self.boxes:
            return whole
        clicked = [(row, column, row + 1, column + 1) for _, row, column, yes in self.points if yes]
        around = _around([*map(_rectangle, self.boxes), *clicked])
        assert around is not None, "there is a box"
        return _grown(around, whole)

    def slices(self) -> list[range]:
        """The runs of slices that may be visited: the boxes', as far as clicks on the object."""
        count = self.shape[0]
        if not self.boxes:
            return [range(count)]
        spans = [(box.start_kji[0], box.stop_kji[0]) for box in self.boxes]
        for index, _, _, positive in self.points:
            if positive and not any(start <= index < stop for start, stop in spans):
                start, stop = min(spans, key=lambda s: max(s[0] - index, index - s[1] + 1))
                spans.append((min(start, index), max(stop, index + 1)))
        wanted = {index for span in spans for index in range(*span)}
        edges = sorted(index for index in wanted if index - 1 not in wanted)
        ends = sorted(index + 1 for index in wanted if index + 1 not in wanted)
        return [range(*run) for run in zip(edges, ends, strict=True)]


def propagate(marks: Marks) -> Propagation:
    """Through one stack: first as the boxes or the first click say, then with every click.

    A clicked slice is asked with the box it had without the click, so that a further click changes
    what follows from it and nothing else. Without boxes it ends where the mask does.
    """
    seeds = _seeds(marks)
    if not seeds:
        return {}
    found = yield from _spread(marks, seeds)
    anchors = {**seeds, **_clicked(marks, {index: prompt for index, (prompt, _) in found.items()})}
    if anchors != seeds:
        found = yield from _spread(marks, anchors)
    return {index: logits for index, (_, logits) in found.items()}


def propagate_together(
    marks: Mapping[str, Marks],
    predict: Callable[[list[tuple[str, int, PixelPrompt]], Progress], list[Logits]],
    progress: Progress,
) -> dict[str, dict[int, Logits]]:
    """Propagate through several stacks in step, so that `predict` gets many slices at once.

    marks: by the stack's name. ask: gets (name, slice, prompt) and gives the logits of each.
    Returns each stack's logits by slice. `progress` may raise Cancelled at every step.
    """
    propagations = {name: propagate(m) for name, m in marks.items()}
    done: dict[str, dict[int, Logits]] = {}
    waiting: dict[str, list[SliceRequest]] = {}

    def advance(name: str, logits: list[Logits] | None) -> None:
        try:
            sent = next(propagations[name]) if logits is None else propagations[name].send(logits)
            waiting[name] = sent
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
    """Steps of a propagation at most: it goes through each run of slices twice."""
    return 2 * max(map(len, marks.slices())) + 1


def _seeds(marks: Marks) -> dict[int, PixelPrompt]:
    """The slices that a propagation without further clicks begins at."""
    middles = [(box.start_kji[0] + box.stop_kji[0]) // 2 for box in marks.boxes]
    seeds = {index: PixelPrompt(marks.rectangle(index)) for index in middles}
    if not seeds:
        for index, row, column, positive in marks.points:
            if positive:
                return {index: PixelPrompt(None, ((row, column, True),))}
    return seeds


def _clicked(marks: Marks, before: Mapping[int, PixelPrompt]) -> dict[int, PixelPrompt]:
    """The clicked slices with their points and, where one is known, a box around the object."""
    whole = (0, 0, *marks.shape[1:])
    anchors = {}
    for index in dict.fromkeys(point[0] for point in marks.points):
        points = marks.points_on(index)
        inside = [(row, column, row + 1, column + 1) for row, column, yes in points if yes]
        if index in before:
            box = before[index].box
        elif not inside:
            # Background where the object does not reach is no news.
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
    """Outward from every anchor in step, so that each slice is reached from the nearest one.

    Of two that are as near the one with the lower number reaches it.
    """
    limit = marks.limit()
    last_resort = _around(map(_rectangle, marks.boxes))
    allowed = {index for run in marks.slices() for index in run}
    found: dict[int, tuple[PixelPrompt, Logits]] = {}
    requests = dict(sorted(anchors.items()))
    steps: dict[int, tuple[int, ...]] = dict.fromkeys(requests, (-1, 1))
    while requests:
        answers = yield list(requests.items())
        found.update(
            (index, (prompt, logits))
            for (index, prompt), logits in zip(requests.items(), answers, strict=True)
        )
        following: dict[int, PixelPrompt] = {}
        ways: dict[int, tuple[int, ...]] = {}
        for index in requests:
            prompt, logits = found[index]
            box = box_after(logits, limit)
            if box is None and marks.boxes:
                box = prompt.box or last_resort
            if box is None:
                continue
            for step in steps[index]:
                reached = index + step
                if reached in allowed and reached not in found and reached not in following:
                    following[reached], ways[reached] = PixelPrompt(box), (step,)
        requests, steps = following, ways
    return found


def box_after(logits: Logits, limit: Rectangle) -> Rectangle | None:
    """The next slice's box: around this one's mask, as far as the object may reach."""
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
    held = list(rectangles)
    if not held:
        return None
    top, left, bottom, right = zip(*held, strict=True)
    return (min(top), min(left), max(bottom), max(right))


def _grown(rectangle: Rectangle, limit: Rectangle) -> Rectangle:
    """`SLACK` more on each side, within a limit."""
    top, left, bottom, right = rectangle
    return (
        max(top - SLACK, limit[0]),
        max(left - SLACK, limit[1]),
        min(bottom + SLACK, limit[2]),
        min(right + SLACK, limit[3]),
    )
