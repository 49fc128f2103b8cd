"""The objects of one frame followed through all frames of a 4D volume.

Each frame starts from its neighbour's masks: the motion of each object is estimated from both
frames, its mask is moved, and the model draws it again, given the mask as its card says
(`ModelCard.starts_from`). One that takes it as its prior mostly keeps the shape. An object that is
not found in a frame is looked for in the next one from the place in which it was seen last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, MedSegFMError, PromptError, VolumeError
from ..progress import Progress, no_progress, parts_of
from ..prompts.mask import Mask
from ..prompts.prompt_list import PromptList
from ..prompts.types import Text
from ..segmenter import Segmenter
from ..volumes.frames import FrameSource
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.segmentations.treatment import Treatment, treated
from ..volumes.volume import Volume
from .motion import moved, shift_of
from .session import Session

_BUDGET_BYTES = 1 << 28


def check_propagates(segmenter: Segmenter, prompts: PromptList) -> None:
    """Check that a model can follow objects.

    Raises:
        PromptError: it takes no masks, and the objects are not all named by text.
    """
    if "mask" in segmenter.card.prompts or _by_text(prompts):
        return
    raise PromptError(
        f"{segmenter.card.title} takes no masks and cannot follow an object from frame to frame; "
        "use another model, or segment each frame with --frame."
    )


def propagate(
    segmenter: Segmenter,
    frames: FrameSource,
    start: int,
    prompts: PromptList,
    progress: Progress = no_progress,
    treatment: Treatment | None = None,
) -> list[Segmentation]:
    """Segment every frame from the prompts of one.

    Args:
        segmenter: the model. One that takes no masks segments each frame by its texts alone.
        frames: the frames, all on one grid.
        start: the number of the frame that the prompts are for, from 0.
        prompts: the objects and their prompts.
        progress: called with the completed fraction and a phrase.
        treatment: what is done to each frame after the model, before it leads to the next; None
            for nothing.

    Returns:
        The segments of each frame on its own grid, without overlaps and probabilities. Objects that
        a frame lacks have no voxels.

    Raises:
        IndexError: there is no such frame.
        PromptError: the model cannot follow the objects, and as `Session`.
        VolumeError: a frame cannot be segmented; the message names it.
    """
    check_propagates(segmenter, prompts)
    done: dict[int, Segmentation] = {}
    shares = iter(parts_of(progress, len(frames)))
    follower = _Follower(segmenter, prompts, treatment or Treatment())
    prompted = frames[start]
    done[start], known = follower.first(prompted, next(shares))
    for direction in (range(start + 1, len(frames)), range(start - 1, -1, -1)):
        seen = dict(known)
        for number in direction:
            try:
                done[number] = follower.next(frames[number], seen, next(shares))
            except Cancelled:
                raise
            except MedSegFMError as error:
                raise VolumeError(f"Frame {number + 1}: {error}") from error
    progress(1.0, "Following the objects")
    return [done[number] for number in range(len(frames))]


@dataclass(frozen=True, eq=False)
class _Seen:
    """An object as it was seen last.

    Attributes:
        frame: the last frame in which it was recognized.
        there_kji: bool, (K, J, I), its mask in that frame.
        latest_kji: its mask in the last frame in which the model found it at all.
    """

    frame: Volume
    there_kji: NDArray[np.bool_]
    latest_kji: NDArray[np.bool_]


class _Follower:
    """Objects that are drawn again from frame to frame."""

    def __init__(self, segmenter: Segmenter, prompts: PromptList, treatment: Treatment) -> None:
        self._segmenter, self._prompts, self._treatment = segmenter, prompts, treatment

    def first(self, frame: Volume, progress: Progress) -> tuple[Segmentation, dict[int, _Seen]]:
        """The segments of the frame with the prompts, and its objects by label."""
        result = self._drawn(frame, self._prompts, progress)
        seen = {}
        for segment in result.segments:
            if segment.voxels:
                there = segment.on(frame.geometry)
                seen[segment.label] = _Seen(frame, there, there)
        return result, seen

    def next(self, frame: Volume, seen: dict[int, _Seen], progress: Progress) -> Segmentation:
        """The segments of a frame from those of its neighbour; `seen` is brought up to date."""
        if "mask" not in self._segmenter.card.prompts:
            return self._drawn(frame, self._prompts, progress)
        entries, recognized = [], set()
        for label, known in seen.items():
            shift = shift_of(known.frame.array_kji, frame.array_kji, known.there_kji)
            start = known.latest_kji if shift is None else moved(known.there_kji, shift)
            if shift is not None:
                recognized.add(label)
            if start.any() and not start.all():
                entries.append((label, Mask.from_array(start, frame.geometry)))
        if not entries:
            return Segmentation(frame.geometry, ())
        prompts = PromptList(self._prompts.objects, tuple(entries))
        result = self._drawn(frame, prompts, progress, redraw=True)
        for segment in result.segments:
            if segment.voxels:
                there = segment.on(frame.geometry)
                known = seen[segment.label]
                seen[segment.label] = (
                    _Seen(frame, there, there)
                    if segment.label in recognized
                    else replace(known, latest_kji=there)
                )
        return result

    def _drawn(
        self, frame: Volume, prompts: PromptList, progress: Progress, redraw: bool = False
    ) -> Segmentation:
        session = Session(self._segmenter, frame, _BUDGET_BYTES)
        session.change(prompts)
        result = session.segmentation(progress, overlapping=False, redraw=redraw)
        # Without probabilities, which no neighbour needs.
        return treated(result, self._treatment).mapped(lambda labels: labels)


def _by_text(prompts: PromptList) -> bool:
    return all(isinstance(prompt, Text) for _, prompt in prompts.entries)
