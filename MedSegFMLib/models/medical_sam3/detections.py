"""What SAM3's detector says of a region's slices, asked once for each words, slice and box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of
from ...segmenter import Encoding, Logits
from ...system.memory_cache import LruByteCache
from ..planar.fusion import FAR_LOGIT
from ..planar.propagation import Marks, PixelPrompt, SliceRequest
from ..sam.encoding import Stack
from ..sam.feature_cache import SliceFeatures
from ..sam.preprocessing import slice_logits
from .preprocessing import Sam3Preprocessor, relative
from .runtime import Sam3Runtime, SliceQuestion

# Of the time of a slice, this part is for looking at it.
_LOOKING = 0.85

HalfLogits = NDArray[np.float16]

DetectionKey = tuple[str, str, int, PixelPrompt]
"""Words, plane, slice and box."""

TrackKey = tuple[str | None, str, Marks]
"""Words, plane, and prompts on the stack; no words where clicks alone say what it is."""


@dataclass(frozen=True, eq=False)
class Detection:
    """How surely what was asked for is on a slice, 0 to 1, and its logits on the region."""

    score: float
    logits: HalfLogits


@dataclass(frozen=True, eq=False)
class MedicalSam3Encoding(Encoding):
    """A region's stacks by plane.

    volume_id: which volume it is a region of.
    answers: the detector's, (rows, columns) of the region's slices, by words, plane, slice, box.
    tracked: the tracker's, of the slices it came to.
    """

    volume_id: int
    stacks: dict[str, Stack]
    answers: LruByteCache[DetectionKey, Detection]
    tracked: LruByteCache[TrackKey, Mapping[int, HalfLogits]]


def answer_caches(
    budget: int,
) -> tuple[LruByteCache[DetectionKey, Detection], LruByteCache[TrackKey, Mapping[int, HalfLogits]]]:
    """Empty caches of so many bytes each, for the detector's answers and the tracker's."""
    return (
        LruByteCache(budget, lambda found: found.logits.nbytes),
        LruByteCache(budget, lambda way: sum(logits.nbytes for logits in way.values())),
    )


def halved(logits: Logits) -> HalfLogits:
    """Logits as they are kept; rounded before the first use too: the same prompts, one answer."""
    return np.asarray(logits.clip(-FAR_LOGIT, FAR_LOGIT), np.float16)


class SliceDetector:
    """Looks at slices and asks the detector about them, both once as long as memory allows.

    threshold: what scores less, from 0 to 1, is not there.
    """

    def __init__(
        self,
        runtime: Sam3Runtime,
        preprocessor: Sam3Preprocessor,
        features: SliceFeatures,
        threshold: float,
    ) -> None:
        self._runtime = runtime
        self._preprocessor = preprocessor
        self._features = features
        self._threshold = threshold

    def slice_features(
        self, encoding: MedicalSam3Encoding, name: str, indices: Sequence[int], progress: Progress
    ) -> list[HalfLogits]:
        """The features (tokens, channels) of slices of a stack, in 16 bits."""
        stack = encoding.stacks[name]
        return self._features.get(
            [(encoding.volume_id, stack.key(index)) for index in indices],
            stack.slice_images[list(indices)],
            self._preprocessor.resize_plan(
                (stack.slice_images.shape[1], stack.slice_images.shape[2])
            ),
            progress,
        )

    def detect(
        self,
        encoding: MedicalSam3Encoding,
        name: str,
        requests: Sequence[SliceRequest],
        phrase: str,
        progress: Progress,
    ) -> list[Detection]:
        """What is on slices of a stack, those remembered and those found now."""
        stack = encoding.stacks[name]
        keys = [(phrase, name, index, prompt) for index, prompt in requests]
        known = [encoding.answers.get(key) for key in keys]
        new = [n for n, answer in enumerate(known) if answer is None]
        if new:
            slice_size = (stack.slice_images.shape[1], stack.slice_images.shape[2])
            plan = self._preprocessor.resize_plan(slice_size)
            features = self.slice_features(
                encoding, name, [requests[n][0] for n in new], part_of(progress, 0.0, _LOOKING)
            )
            questions = []
            for n in new:
                box = stack.to_slice_pixels(requests[n][1]).box
                questions.append(SliceQuestion(phrase, box and relative(box, slice_size)))
            answers = self._runtime.decode(
                features, questions, self._threshold, part_of(progress, _LOOKING, 1.0)
            )
            for n, answer in zip(new, answers, strict=True):
                logits = np.full(stack.shape[1:], -FAR_LOGIT, np.float32)
                if answer.logits is not None:
                    logits = stack.crop_to_region(
                        slice_logits(self._preprocessor, answer.logits, plan)
                    )
                found = Detection(answer.score, halved(logits))
                encoding.answers.put(keys[n], found)
                known[n] = found
        return [found for found in known if found is not None]
