"""SAM3's detections on a region's slices, computed once for each phrase, slice and box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...progress import Progress, part_of
from ...segmenter import Encoding
from ...system.memory_cache import LruByteCache
from ..planar.fusion import FAR_LOGIT, HalfLogits, halved
from ..planar.propagation import Marks, PixelPrompt, SliceRequest
from ..sam.encoding import Stack
from ..sam.feature_cache import SliceFeatures
from ..sam.preprocessing import SlicePreprocessor, slice_logits
from .preprocessing import relative
from .runtime import Sam3Runtime, SliceQuestion

# The fraction of a slice's time that encoding it takes.
_ENCODING = 0.85

DetectionKey = tuple[str, str, int, PixelPrompt]
"""Phrase, plane, slice and box."""

TrackKey = tuple[str | None, str, Marks]
"""Phrase, plane, and prompts on the stack; no phrase if there are only clicks."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A detection on a slice.

    Attributes:
        score: The confidence that the requested object is on the slice, 0 to 1.
        logits: The logits on the region.
    """

    score: float
    logits: HalfLogits


@dataclass(frozen=True, eq=False)
class MedicalSam3Encoding(Encoding):
    """A region's stacks by plane.

    Attributes:
        volume_id: Identifies the volume of the region.
        stacks: By the name of the plane.
        answers: The detector's cached logits (rows, columns) of the region's slices, by phrase,
            plane, slice and box.
        tracked: The tracker's cached logits of the slices it visited.
    """

    volume_id: int
    stacks: dict[str, Stack]
    answers: LruByteCache[DetectionKey, Detection]
    tracked: LruByteCache[TrackKey, Mapping[int, HalfLogits]]


def answer_caches(
    budget: int,
) -> tuple[LruByteCache[DetectionKey, Detection], LruByteCache[TrackKey, Mapping[int, HalfLogits]]]:
    """Empty caches for the detector's and the tracker's results, `budget` bytes each."""
    return (
        LruByteCache(budget, lambda detection: detection.logits.nbytes),
        LruByteCache(budget, lambda tracked: sum(logits.nbytes for logits in tracked.values())),
    )


class SliceDetector:
    """Encodes slices and runs the detector on them, both once as far as memory allows.

    Args:
        runtime: The network.
        preprocessor: The preprocessing of slices.
        features: The cache of the slices' features.
        threshold: Detections with a lower score, 0 to 1, are dropped.
    """

    def __init__(
        self,
        runtime: Sam3Runtime,
        preprocessor: SlicePreprocessor,
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
        """The detections on slices of a stack, cached or computed now."""
        stack = encoding.stacks[name]
        keys = [(phrase, name, index, prompt) for index, prompt in requests]
        detections = [encoding.answers.get(key) for key in keys]
        new = [n for n, answer in enumerate(detections) if answer is None]
        if new:
            slice_size = (stack.slice_images.shape[1], stack.slice_images.shape[2])
            plan = self._preprocessor.resize_plan(slice_size)
            features = self.slice_features(
                encoding, name, [requests[n][0] for n in new], part_of(progress, 0.0, _ENCODING)
            )
            questions = []
            for n in new:
                box = stack.to_slice_pixels(requests[n][1]).box
                questions.append(SliceQuestion(phrase, box and relative(box, slice_size)))
            answers = self._runtime.decode(
                features, questions, self._threshold, part_of(progress, _ENCODING, 1.0)
            )
            for n, answer in zip(new, answers, strict=True):
                logits = np.full(stack.shape[1:], -FAR_LOGIT, np.float32)
                if answer.logits is not None:
                    logits = stack.crop_to_region(
                        slice_logits(self._preprocessor, answer.logits, plan)
                    )
                detection = Detection(answer.score, halved(logits))
                encoding.answers.put(keys[n], detection)
                detections[n] = detection
        return [detection for detection in detections if detection is not None]
