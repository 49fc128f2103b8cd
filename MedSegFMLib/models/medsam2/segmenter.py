"""SAM 2, a network that follows an object through a video, as a model of volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of, parts_of
from ...prompts.types import Prompt
from ...prompts.voxels import enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, Prediction, probabilities
from ...system.memory_cache import LruByteCache
from ...volumes.region import Region
from ...volumes.volume import Volume
from ..planar.fusion import FAR_LOGIT, FUSIONS, HalfLogits
from ..planar.propagation import Marks, PixelPrompt, seeds
from ..planar.slice_tracker import SliceTracker
from ..sam.encoding import BYTES_PER_LOGIT, CLICK_LOGIT, PROPAGATIONS_KEPT, Stack, cut_stacks
from ..sam.feature_cache import SliceFeatures
from ..sam.preprocessing import SlicePreprocessor
from ..sam.slice_tracking import SliceTracking, TrackedSlices


@dataclass(frozen=True, eq=False)
class TrackedEncoding(Encoding):
    """A region's stacks by plane.

    Attributes:
        volume_id: Identifies the volume of the region.
        stacks: By the name of the plane.
        tracked: The cached logits (rows, columns) of the slices that were visited, by plane and
            prompts.
    """

    volume_id: int
    stacks: dict[str, Stack]
    tracked: LruByteCache[tuple[str, Marks], Mapping[int, HalfLogits]]


class VideoSegmenter:
    """The `Segmenter` around a tracker.

    Args:
        card: The model's card.
        tracker: The network's memory and decoder.
        preprocessor: The preprocessing of slices.
        features: The cache of the slices' features, with the encoder.
        planes: The planes, each of which is segmented by itself.
        fusion: One of `FUSIONS`.
        directions: The passes through a stack; see `SliceTracking`.
        largest_only: Whether only the largest connected component is kept.
    """

    classes: tuple[str, ...] = ()

    def __init__(
        self,
        card: ModelCard,
        tracker: SliceTracker,
        preprocessor: SlicePreprocessor,
        features: SliceFeatures,
        planes: Sequence[str],
        fusion: str,
        directions: Sequence[int],
        largest_only: bool,
    ) -> None:
        self.card = card
        self._tracker = tracker
        self._preprocessor = preprocessor
        self._features = features
        self._planes = tuple(planes)
        self._fused = FUSIONS[fusion]
        self._directions = tuple(directions)
        self._largest_only = largest_only

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> TrackedEncoding:
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
        stacks = cut_stacks(
            volume.array_kji, geometry, region, window, self._planes, whole_slices=True
        )
        progress(1.0, "Preparing the slices")
        budget = PROPAGATIONS_KEPT * BYTES_PER_LOGIT * len(stacks) * region.size
        nbytes = sum(stack.slice_images.nbytes for stack in stacks.values()) + budget
        tracked: LruByteCache[tuple[str, Marks], Mapping[int, HalfLogits]] = LruByteCache(
            budget, lambda slices: sum(logits.nbytes for logits in slices.values())
        )
        return TrackedEncoding(geometry, region, nbytes, number, stacks, tracked)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Follow one object through each plane from the slices with its prompts, and fuse them.

        Every clicked voxel gets the label of its click. Prompts outside the region have no effect.

        Raises:
            PromptError: For a prompt outside the volume or one the model does not take.
            DeviceError: If memory runs out.
        """
        if not isinstance(encoding, TrackedEncoding):
            raise TypeError(f"{self.card.name} cannot predict from a {type(encoding).__name__}.")
        self.card.check_takes(prompts)
        progress(0.0, "Reading the prompts")
        region = encoding.region
        marks = to_voxels(prompts, encoding.geometry).within(region)
        by_plane: dict[str, Logits] = {}
        shares = parts_of(part_of(progress, 0.0, 0.95), max(1, len(encoding.stacks)))
        for (name, stack), share in zip(encoding.stacks.items(), shares, strict=False):
            on_stack = stack.marks(marks, region.shape_kji)
            by_plane[name] = stack.volume_logits(self._tracked(encoding, name, on_stack, share))
        progress(0.95, "Fusing the planes")
        planes = {name: stack.plane for name, stack in encoding.stacks.items()}
        fused = self._fused(by_plane, planes)
        if self._largest_only:
            keep_largest(fused)
        enforce_marks(fused, marks, CLICK_LOGIT)
        progress(1.0, "Predicting the mask")
        likely = {name: probabilities(logits) for name, logits in by_plane.items()}
        return Prediction(encoding.geometry, region.start_kji, fused, likely)

    def _tracked(
        self, encoding: TrackedEncoding, name: str, marks: Marks, progress: Progress
    ) -> TrackedSlices:
        """The object's logits on the slices of one stack."""
        stack = encoding.stacks[name]
        plan = self._preprocessor.resize_plan(
            (stack.slice_images.shape[1], stack.slice_images.shape[2])
        )

        def slice_features(index: int, share: Progress) -> NDArray[Any]:
            key = (encoding.volume_id, stack.key(index))
            return self._features.get([key], stack.slice_images[[index]], plan, share)[0]

        def recall(of: Marks, find: Callable[[], TrackedSlices]) -> TrackedSlices:
            known = encoding.tracked.get((name, of))
            if known is None:
                known = find()
                encoding.tracked.put((name, of), known)
            return known

        keys = key_prompts(marks)
        if not keys:
            return {}
        tracking = SliceTracking(
            self._tracker, stack, self._preprocessor, slice_features, self._directions
        )
        return tracking.found(marks, keys, recall, progress)


def key_prompts(marks: Marks) -> dict[int, PixelPrompt]:
    """The slices from which an object is followed, and their prompts with all clicks on them.

    They are the middle slices of boxes, or else that of the first positive click.
    """
    return {
        index: PixelPrompt(prompt.box, marks.points_on(index))
        for index, prompt in seeds(marks).items()
    }


def keep_largest(logits: Logits) -> None:
    """Turn all but the largest component (26 neighbours) of what is above 0 into background."""
    from scipy.ndimage import label

    components, count = label(logits > 0, np.ones((3, 3, 3)))
    if count > 1:
        sizes = np.bincount(components.ravel())
        sizes[0] = 0
        logits[(components > 0) & (components != sizes.argmax())] = -FAR_LOGIT
