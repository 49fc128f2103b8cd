"""Tracking of an object through one stack, from the slices where it is known.

As MedSAM2 tracks objects (Ma et al., "MedSAM2: Segment anything in 3D medical images and videos",
2025): from a key slice forward to the end, then, with an empty memory, backward to the beginning.
Here slices with clicks become known too, once the object has been tracked and the clicks have
corrected it there; each other slice is reached once, from the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of
from ...segmenter import Logits
from ..planar.fusion import FAR_LOGIT, HalfLogits, halved
from ..planar.propagation import Marks, PixelPrompt
from ..planar.slice_tracker import SliceTrack, SliceTracker, runs
from .encoding import Stack
from .preprocessing import SlicePreprocessor, slice_logits

TrackedSlices = Mapping[int, HalfLogits]
# Returns the cached result for these prompts, else that of the second argument.
Recall = Callable[[Marks, Callable[[], TrackedSlices]], TrackedSlices]

Anchors = Mapping[int, PixelPrompt | HalfLogits]
"""How the object is known on a slice: by a prompt for the tracker, or by logits of the region."""

FORWARD, BACKWARD = 1, -1

_PHRASE = "Propagating from slice to slice"


class SliceTracking:
    """A tracker in one stack.

    Args:
        tracker: The tracker.
        stack: The slices.
        preprocessor: The preprocessing of slices.
        slice_features: Returns the features of a slice; it may raise Cancelled.
        directions: `FORWARD`, `BACKWARD` or both, in the order of the passes.
    """

    def __init__(
        self,
        tracker: SliceTracker,
        stack: Stack,
        preprocessor: SlicePreprocessor,
        slice_features: Callable[[int, Progress], NDArray[Any]],
        directions: Sequence[int] = (FORWARD, BACKWARD),
    ) -> None:
        self._tracker = tracker
        self._stack = stack
        self._preprocessor = preprocessor
        self._plan = preprocessor.resize_plan(
            (stack.slice_images.shape[1], stack.slice_images.shape[2])
        )
        self._slice_features = slice_features
        self._directions = directions

    def found(
        self,
        marks: Marks,
        keys: Anchors,
        recall: Recall,
        progress: Progress,
    ) -> TrackedSlices:
        """The object's logits by slice, (rows, columns) of the region.

        Without boxes in `marks` a pass ends with the object, with boxes at their ends.

        Args:
            marks: The prompts on the stack.
            keys: The known slices; a prompt contains all clicks on its slice. If empty, tracking
                starts at the first positive click.
            recall: Returns cached results.
            progress: Reports the slices done; may raise Cancelled.
        """
        first = next((point for point in marks.points if point[3]), None)
        seed = tuple(p for p in marks.points if isinstance(keys.get(p[0]), PixelPrompt))
        if not keys:
            if first is None:
                return {}
            seed = (first,)
        before = Marks(marks.shape, marks.boxes, seed)
        share = progress if seed == marks.points else part_of(progress, 0.0, 0.5)

        def followed() -> TrackedSlices:
            known = keys or {at: self._clicked(before, at, None, share) for at, *_ in seed}
            return self._through(known, before, share)

        tracked = recall(before, followed)
        if before == marks:
            return tracked
        begun = keys or {at: tracked[at] for at, *_ in seed}
        rest = part_of(progress, 0.5, 1.0)
        return recall(
            marks, lambda: self._through(self._corrected(marks, begun, tracked, rest), marks, rest)
        )

    def _corrected(
        self, marks: Marks, begun: Anchors, tracked: TrackedSlices, progress: Progress
    ) -> dict[int, PixelPrompt | HalfLogits]:
        """The known slices: the starting ones, and those with clicks after correction."""
        known = dict(begun)
        for index in dict.fromkeys(point[0] for point in marks.points):
            if isinstance(known.get(index), PixelPrompt):
                continue
            before = tracked.get(index)
            present = before is not None and bool((before > 0).any())
            # A background click on a slice without the object changes nothing.
            if present or any(positive for _, _, positive in marks.points_on(index)):
                known[index] = self._clicked(marks, index, before if present else None, progress)
        return known

    def _clicked(
        self, marks: Marks, index: int, before: HalfLogits | None, progress: Progress
    ) -> HalfLogits:
        progress(0.0, _PHRASE)
        prompt = self._stack.to_slice_pixels(PixelPrompt(None, marks.points_on(index)))
        low = self._tracker.clicked(
            self._slice_features(index, part_of(progress, 0.0, 0.0)),
            self._plan.prompt(prompt).points,
            None if before is None else self._on_slice(before),
        )
        return self._on_region(low)

    def _through(self, known: Anchors, marks: Marks, progress: Progress) -> TrackedSlices:
        """Track both ways from the known slices; those known by logits stay unchanged.

        A slice that clicks have emptied is memorised, and ends the passes that reach it.
        """
        slices = marks.shape[0]
        results = {n: a for n, a in known.items() if not isinstance(a, PixelPrompt)}
        begun: dict[int, SliceTrack] = {}
        if len(results) < len(known):
            # Where the object is on prompted slices shows when they are memorised.
            first = self._directions[0]
            begun[first] = self._begin(slices, first, known, results, part_of(progress, 0.0, 0.0))
        occupied = {index for index, logits in results.items() if (logits > 0).any()}
        visited = {index for run in marks.slices() for index in run}
        allowed = visited - (known.keys() - occupied)
        passes = {step: runs(occupied, allowed, step) for step in self._directions}
        most = max(1, sum(len(run) for pass_runs in passes.values() for run in pass_runs.values()))
        done = 0
        for step, pass_runs in passes.items():
            starts = [at for at, run in pass_runs.items() if run]
            if not starts:
                continue
            share = part_of(progress, done / most, done / most)
            track = begun.get(step) or self._begin(slices, step, known, results, share)
            for start in starts:
                for passed, index in enumerate(pass_runs[start], done):
                    share = part_of(progress, passed / most, (passed + 1) / most)
                    share(0.0, _PHRASE)
                    low = track.follow(index, self._slice_features(index, share))
                    results[index] = self._on_region(low)
                    if not marks.boxes and not (results[index] > 0).any():
                        break
                done += len(pass_runs[start])
        return results

    def _begin(
        self,
        slices: int,
        step: int,
        known: Anchors,
        results: dict[int, HalfLogits],
        progress: Progress,
    ) -> SliceTrack:
        """Begin a pass and memorise the known slices; `results` gets the prompted ones."""
        track = self._tracker.begin(slices, backward=step == BACKWARD)
        for index, anchor in sorted(known.items(), key=lambda item: item[0]):
            progress(0.0, _PHRASE)
            features = self._slice_features(index, progress)
            if isinstance(anchor, PixelPrompt):
                prompt = self._plan.prompt(self._stack.to_slice_pixels(anchor))
                low = track.prompt(index, features, prompt.box, prompt.points)
                results[index] = self._on_region(low)
            else:
                track.hold(index, features, self._on_slice(anchor) > 0)
        return track

    def _on_region(self, low: Logits) -> HalfLogits:
        logits = slice_logits(self._preprocessor, low, self._plan)
        return halved(self._stack.crop_to_region(logits))

    def _on_slice(self, logits: HalfLogits) -> Logits:
        """(rows, columns) of the whole slice, with background outside the region."""
        whole = np.full(self._stack.slice_images.shape[1:], -FAR_LOGIT, np.float32)
        self._stack.crop_to_region(whole)[...] = logits
        return whole
