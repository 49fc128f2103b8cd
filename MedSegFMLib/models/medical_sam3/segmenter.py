"""SAM3, a network that segments named objects on slices, as a model of volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of, parts_of
from ...prompts.types import Prompt
from ...prompts.voxels import VoxelMarks, enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, Prediction, probabilities
from ...volumes.region import Region
from ...volumes.volume import Volume
from ...volumes.windows import Window
from ..planar.fusion import FUSIONS, HalfLogits
from ..planar.propagation import Marks, SliceRequest, propagate
from ..planar.slice_tracker import SliceTracker
from ..sam.encoding import (
    BYTES_PER_LOGIT,
    CLICK_LOGIT,
    PROPAGATIONS_KEPT,
    Stack,
    cut_stacks,
)
from ..sam.feature_cache import SliceFeatures
from ..sam.slice_tracking import SliceTracking, TrackedSlices
from .card import text_alone, without_clicks
from .detections import MedicalSam3Encoding, SliceDetector, answer_caches
from .preprocessing import sam3_preprocessor
from .runtime import Sam3Runtime
from .text_propagation import (
    first_requests,
    propagate_text,
    region_around_mask,
    run_propagation,
    search_slices,
)
from .tokenizer import VISUAL

# The fraction of a stack's time for finding the slice with the most confident detection.
_FINDING = 0.3


class MedicalSam3Segmenter:
    """The `Segmenter` around SAM3.

    Args:
        card: The model's card.
        runtime: The detector.
        fusion: One of `FUSIONS`.
        planes: The planes in order; without a box, later ones search only where the first one found
            the object.
        threshold: Detections with a lower score, 0 to 1, are dropped.
        step_mm: With text only, the distance of the slices that are searched first.
        cache_bytes: The memory limit of the slices' features.
        tracker: Tracks the object from slice to slice; without one, boxes are propagated and clicks
            are refused.
        window: The values that are shown to the network; None for those of MedSAM's training.
        propagates: Whether detections spread from slice to slice; otherwise every slice is searched
            with the text alone, and boxes and clicks are refused.
    """

    classes: tuple[str, ...] = ()

    def __init__(
        self,
        card: ModelCard,
        runtime: Sam3Runtime,
        fusion: str,
        planes: Sequence[str],
        threshold: float,
        step_mm: float,
        cache_bytes: int,
        tracker: SliceTracker | None = None,
        window: Window | None = None,
        propagates: bool = True,
    ) -> None:
        self.card = card if tracker is not None else without_clicks(card)
        if not propagates:
            self.card = text_alone(card)
        self._propagates = propagates
        self._preprocessor = sam3_preprocessor(runtime.side)
        self._fused = FUSIONS[fusion]
        self._planes = tuple(planes)
        self._step_mm = step_mm
        self._features = SliceFeatures(runtime, self._preprocessor, cache_bytes, window)
        self._detector = SliceDetector(runtime, self._preprocessor, self._features, threshold)
        self._tracker = tracker

    def encode(
        self, volume: Volume, region: Region | None, progress: Progress
    ) -> MedicalSam3Encoding:
        """Cut a region (None: all) into slices; they are encoded once a prompt needs them.

        The slices show the whole width and height of the volume.

        Raises:
            VolumeError: If the volume contains NaN or infinity.
        """
        progress(0.0, "Preparing the slices")
        geometry = volume.geometry
        region = region or Region.whole(geometry.shape_kji)
        number, window = self._features.grey_window(volume)
        progress(0.3, "Preparing the slices")
        array = volume.array_kji
        by_name = cut_stacks(array, geometry, region, window, self._planes, whole_slices=True)
        stacks = {name: by_name[name] for name in self._planes if name in by_name}
        progress(1.0, "Preparing the slices")
        budget = PROPAGATIONS_KEPT * BYTES_PER_LOGIT * len(stacks) * region.size
        nbytes = sum(stack.slice_images.nbytes for stack in stacks.values()) + 2 * budget
        return MedicalSam3Encoding(geometry, region, nbytes, number, stacks, *answer_caches(budget))

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object from words, a box, clicks, or several of these.

        Several phrases are joined with commas. Every clicked voxel gets the label of its click.
        Prompts outside the region have no effect.

        Raises:
            PromptError: For a prompt outside the volume, one the model does not take, a click
                without a tracker, or a text that is too long.
            DeviceError: If memory runs out.
        """
        if not isinstance(encoding, MedicalSam3Encoding):
            raise TypeError(f"{self.card.name} cannot predict from a {type(encoding).__name__}.")
        self.card.check_takes(prompts)
        progress(0.0, "Reading the prompts")
        region = encoding.region
        marks = to_voxels(prompts, encoding.geometry).within(region)
        uses_detector = bool(marks.boxes or marks.phrases)
        phrase = ", ".join(marks.phrases) or VISUAL
        by_plane: dict[str, Logits] = {}
        boxes = marks.boxes
        absent = not uses_detector and not marks.positive.any()
        share = part_of(progress, 0.0, 0.95)
        shares = parts_of(share, max(1, len(encoding.stacks)))
        for (name, stack), part in zip(encoding.stacks.items(), shares, strict=False):
            slices: TrackedSlices | Mapping[int, Logits] = {}
            if not absent:
                on_stack = stack.marks(_boxed(marks, boxes), region.shape_kji)
                if self._tracker is None:
                    slices = self._propagated(encoding, name, on_stack, phrase, part)
                else:
                    slices = self._tracked(
                        self._tracker,
                        encoding,
                        name,
                        on_stack,
                        phrase if uses_detector else None,
                        part,
                    )
            by_plane[name] = stack.volume_logits(slices)
            if not boxes and not absent:
                # Other planes search in a box around the first one's result, with the same text.
                box = region_around_mask(by_plane[name] > 0)
                boxes, absent = ((box,), False) if box is not None else ((), True)
        progress(0.95, "Fusing the planes")
        planes = {name: stack.plane for name, stack in encoding.stacks.items()}
        # A plane without a detection is weak evidence if another plane has one.
        finders = {name: logits for name, logits in by_plane.items() if (logits > 0).any()}
        fused = self._fused(finders or by_plane, planes)
        enforce_marks(fused, marks, CLICK_LOGIT)
        progress(1.0, "Predicting the mask")
        by_plane_probability = {name: probabilities(logits) for name, logits in by_plane.items()}
        return Prediction(encoding.geometry, region.start_kji, fused, by_plane_probability)

    def _stride(self, stack: Stack) -> int:
        """The distance in slices of those that are searched first with text only."""
        return max(1, int(self._step_mm / stack.plane.spacing_mm[0]))

    def _propagated(
        self,
        encoding: MedicalSam3Encoding,
        name: str,
        marks: Marks,
        phrase: str,
        progress: Progress,
    ) -> Mapping[int, Logits]:
        """Propagate through one stack with text and boxes around neighbours' masks."""

        def predict(requests: list[SliceRequest], share: Progress) -> list[Logits]:
            detections = self._detector.detect(encoding, name, requests, phrase, share)
            return [np.asarray(detection.logits, np.float32) for detection in detections]

        stride = self._stride(encoding.stacks[name])
        if not self._propagates:
            propagation = search_slices(marks.shape)
        elif marks.boxes:
            propagation = propagate(marks)
        else:
            propagation = propagate_text(marks.shape, stride, again=self._step_mm > 0)
        return run_propagation(propagation, marks, predict, progress)

    def _tracked(
        self,
        tracker: SliceTracker,
        encoding: MedicalSam3Encoding,
        name: str,
        marks: Marks,
        phrase: str | None,
        progress: Progress,
    ) -> TrackedSlices:
        """Track the object through one stack; the detector is used if there is a phrase."""

        def slice_features(index: int, share: Progress) -> NDArray[Any]:
            return self._detector.slice_features(encoding, name, [index], share)[0]

        def recall(of: Marks, find: Callable[[], TrackedSlices]) -> TrackedSlices:
            key = (phrase, name, of)
            known = encoding.tracked.get(key)
            if known is None:
                known = find()
                encoding.tracked.put(key, known)
            return known

        rest = progress
        keys: TrackedSlices = {}
        if phrase is not None:
            rest = part_of(progress, _FINDING, 1.0)
            keys = self._best_slices(
                encoding, name, marks, phrase, part_of(progress, 0.0, _FINDING)
            )
        stack = encoding.stacks[name]
        return SliceTracking(tracker, stack, self._preprocessor, slice_features).found(
            marks, keys, recall, rest
        )

    def _best_slices(
        self,
        encoding: MedicalSam3Encoding,
        name: str,
        marks: Marks,
        phrase: str,
        progress: Progress,
    ) -> dict[int, HalfLogits]:
        """The slice of the most confident detection in each run of slices that boxes span.

        Slices `step_mm` apart are searched; without boxes they are one run. Of equal scores the
        first one wins; a run without a detection has no slice.
        """
        stride = self._stride(encoding.stacks[name])
        requests = first_requests(marks.shape, marks.boxes, stride)
        progress(0.0, "Finding the best slice")
        answers = self._detector.detect(encoding, name, requests, phrase, progress)
        detections = {
            index: answer
            for (index, _), answer in zip(requests, answers, strict=True)
            if (answer.logits > 0).any()
        }
        runs = [detections.keys() & set(run) for run in Marks(marks.shape, marks.boxes).slices()]
        keys = [
            max(run, key=lambda index: (detections[index].score, -index)) for run in runs if run
        ]
        return {index: detections[index].logits for index in keys}


def _boxed(marks: VoxelMarks, boxes: tuple[Region, ...]) -> VoxelMarks:
    """The same phrases and clicks with other boxes."""
    return VoxelMarks(boxes, marks.voxels_kji, marks.positive, marks.phrases)
