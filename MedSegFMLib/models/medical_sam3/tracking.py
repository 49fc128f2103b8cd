"""An object followed by SAM3's tracker through one stack, from the slices where it is known.

As MedSAM2 follows objects (Ma et al., "MedSAM2: Segment anything in 3D medical images and videos",
2025): from a key slice forward to the end, all forgotten, then backward to the beginning. Here
slices with clicks are known too, once the object was followed and the clicks have corrected it
there; each other slice is reached once, from the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of
from ...segmenter import Logits
from ..planar.fusion import FAR_LOGIT
from ..planar.propagation import Marks, PixelPrompt
from ..sam.encoding import Stack
from ..sam.preprocessing import slice_logits
from .detections import HalfLogits, halved
from .preprocessing import Sam3Preprocessor
from .runtime import SliceTracker

TrackedSlices = Mapping[int, HalfLogits]
# Gives what was found for these prompts before, else what the second argument finds.
Recall = Callable[[Marks, Callable[[], TrackedSlices]], TrackedSlices]

_PHRASE = "Propagating from slice to slice"


class SliceTracking:
    """The tracker in one stack.

    look: the features (tokens, channels) of a slice; it may raise Cancelled.
    """

    def __init__(
        self,
        tracker: SliceTracker,
        stack: Stack,
        preprocessor: Sam3Preprocessor,
        look: Callable[[int, Progress], NDArray[Any]],
    ) -> None:
        self._tracker = tracker
        self._stack = stack
        self._preprocessor = preprocessor
        self._plan = preprocessor.resize_plan(
            (stack.slice_images.shape[1], stack.slice_images.shape[2])
        )
        self._look = look

    def found(
        self,
        marks: Marks,
        keys: TrackedSlices,
        recall: Recall,
        progress: Progress,
    ) -> TrackedSlices:
        """The object's logits by slice, (rows, columns) of the region.

        keys: slices where it is, and how; without any it begins at the first click on the object.
        Without boxes in `marks` a way ends where the object does, with boxes where they do.
        """
        first = next((point for point in marks.points if point[3]), None)
        seed: tuple[tuple[int, int, int, bool], ...] = ()
        if not keys:
            if first is None:
                return {}
            seed = (first,)
        before = Marks(marks.shape, marks.boxes, seed)
        share = progress if seed == marks.points else part_of(progress, 0.0, 0.5)

        def followed() -> TrackedSlices:
            known = keys or {at: self._clicked(before, at, None, share) for at, *_ in seed}
            return self._through(known, before, share)

        found = recall(before, followed)
        if before == marks:
            return found
        begun = list(keys) or [point[0] for point in seed]
        rest = part_of(progress, 0.5, 1.0)
        return recall(
            marks, lambda: self._through(self._corrected(marks, begun, found, rest), marks, rest)
        )

    def _corrected(
        self, marks: Marks, begun: Iterable[int], found: TrackedSlices, progress: Progress
    ) -> dict[int, HalfLogits]:
        """The known slices: those it began at and those with clicks, as the clicks say."""
        known = {index: found[index] for index in begun}
        for index in dict.fromkeys(point[0] for point in marks.points):
            before = found.get(index)
            there = before is not None and bool((before > 0).any())
            # Background where the object does not reach is no news.
            if there or any(yes for _, _, yes in marks.points_on(index)):
                known[index] = self._clicked(marks, index, before if there else None, progress)
        return known

    def _clicked(
        self, marks: Marks, index: int, before: HalfLogits | None, progress: Progress
    ) -> HalfLogits:
        progress(0.0, _PHRASE)
        asked = self._stack.to_slice_pixels(PixelPrompt(None, marks.points_on(index)))
        low = self._tracker.clicked(
            self._look(index, part_of(progress, 0.0, 0.0)),
            self._plan.prompt(asked).points,
            None if before is None else self._on_slice(before),
        )
        return self._on_region(low)

    def _through(
        self, known: Mapping[int, HalfLogits], marks: Marks, progress: Progress
    ) -> TrackedSlices:
        """Both ways from the slices that are known, which stay as they are.

        One that clicks have emptied is remembered, and ends the ways that come to it.
        """
        held = {index for index, logits in known.items() if (logits > 0).any()}
        visited = {index for run in marks.slices() for index in run}
        allowed = visited - (known.keys() - held)
        ways = {step: runs(held, allowed, step) for step in (1, -1)}
        most = max(1, sum(len(run) for way in ways.values() for run in way.values()))
        done = 0
        found = dict(known)
        for step, way in ways.items():
            starts = [at for at, run in way.items() if run]
            if not starts:
                continue
            here = part_of(progress, done / most, done / most)
            track = self._tracker.begin(marks.shape[0], backward=step < 0)
            for index, logits in sorted(known.items()):
                here(0.0, _PHRASE)
                track.hold(index, self._look(index, here), self._on_slice(logits) > 0)
            for start in starts:
                for passed, index in enumerate(way[start], done):
                    share = part_of(progress, passed / most, (passed + 1) / most)
                    share(0.0, _PHRASE)
                    low = track.follow(index, self._look(index, share))
                    found[index] = self._on_region(low)
                    if not marks.boxes and not (found[index] > 0).any():
                        break
                done += len(way[start])
        return found

    def _on_region(self, low: Logits) -> HalfLogits:
        logits = slice_logits(self._preprocessor, low, self._plan)
        return halved(self._stack.crop_to_region(logits))

    def _on_slice(self, logits: HalfLogits) -> Logits:
        """(rows, columns) of the whole slice: nothing is beyond the region."""
        whole = np.full(self._stack.slice_images.shape[1:], -FAR_LOGIT, np.float32)
        self._stack.crop_to_region(whole)[...] = logits
        return whole


def runs(known: Collection[int], allowed: Collection[int], step: int) -> dict[int, list[int]]:
    """The slices to follow from each known one upward (step 1) or downward (-1), in turn.

    Each as far as the slices allowed go, or halfway to the next known one that they lead to; of
    two that are as near the one with the lower number reaches a slice.
    """
    found: dict[int, list[int]] = {}
    for start in sorted(known, reverse=step < 0):
        run = []
        index = start + step
        while index in allowed and index not in known:
            run.append(index)
            index += step
        found[start] = run[: (len(run) + (step > 0)) // 2] if index in known else run
    return found
