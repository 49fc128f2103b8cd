"""The objects of one frame followed through all frames of a 4D volume.

Each frame starts from its neighbour's masks: the motion of each object is estimated from both
frames, its mask is moved, and the model draws it again, given the mask as its card says
(`ModelCard.starts_from`). One that takes it as its prior keeps its shape where the image does not
say otherwise. An object that is not found in a frame is looked for in the next one from where it
was seen last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import MedSegFMError, PromptError, VolumeError
from ..progress import Progress, no_progress, parts_of
from ..prompts.mask import Mask
from ..prompts.prompt_list import PromptList
from ..prompts.types import Text
from ..segmenter import Segmenter
from ..volumes.frames import FrameSource
from ..volumes.geometry import Geometry
from ..volumes.right_angles import brought_back, on_regular_grid
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
    first = on_regular_grid(frames[start])
    done[start], known = follower.first(first, next(shares))
    for direction in (range(start + 1, len(frames)), range(start - 1, -1, -1)):
        before, masks = first, dict(known)
        for number in direction:
            try:
                frame = on_regular_grid(frames[number])
                done[number] = follower.next(frame, before, masks, next(shares))
            except MedSegFMError as error:
                raise VolumeError(f"Frame {number + 1}: {error}") from error
            before = frame
    progress(1.0, "Following the objects")
    geometry = frames[start].geometry
    return [_on(done[number], geometry) for number in range(len(frames))]


class _Follower:
    """Objects that are drawn again from frame to frame."""

    def __init__(self, segmenter: Segmenter, prompts: PromptList, treatment: Treatment) -> None:
        self._segmenter, self._prompts, self._treatment = segmenter, prompts, treatment

    def first(
        self, frame: Volume, progress: Progress
    ) -> tuple[Segmentation, dict[int, NDArray[np.bool_]]]:
        """The segments of the frame with the prompts, and their masks (K, J, I) by label."""
        result = self._drawn(frame, self._prompts, progress)
        masks: dict[int, NDArray[np.bool_]] = {}
        _keep(result, masks)
        return result, masks

    def next(
        self,
        frame: Volume,
        before: Volume,
        masks: dict[int, NDArray[np.bool_]],
        progress: Progress,
    ) -> Segmentation:
        """The segments of a frame from `masks` of the one before, which are replaced by its own."""
        if "mask" not in self._segmenter.card.prompts:
            return self._drawn(frame, self._prompts, progress)
        entries = []
        for label, _ in self._prompts.objects:
            if label not in masks:
                continue
            there = masks[label]
            there = moved(there, shift_of(before.array_kji, frame.array_kji, there))
            if there.any() and not there.all():
                entries.append((label, Mask.from_array(there, frame.geometry)))
        if not entries:
            return Segmentation(frame.geometry, ())
        prompts = PromptList(self._prompts.objects, tuple(entries))
        result = self._drawn(frame, prompts, progress, redraw=True)
        _keep(result, masks)
        return result

    def _drawn(
        self, frame: Volume, prompts: PromptList, progress: Progress, redraw: bool = False
    ) -> Segmentation:
        session = Session(self._segmenter, frame, _BUDGET_BYTES)
        session.change(prompts)
        result = session.segmentation(progress, overlapping=False, redraw=redraw)
        return treated(result, self._treatment).mapped(lambda labels: labels)


def _keep(result: Segmentation, masks: dict[int, NDArray[np.bool_]]) -> None:
    for segment in result.segments:
        if segment.voxels:
            masks[segment.label] = segment.on(result.geometry)


def _by_text(prompts: PromptList) -> bool:
    return all(isinstance(prompt, Text) for _, prompt in prompts.entries)


def _on(segmentation: Segmentation, geometry: Geometry) -> Segmentation:
    if segmentation.geometry == geometry:
        return segmentation
    return segmentation.mapped(lambda labels: brought_back(labels, geometry))
