"""A 2D network as a model of volumes: propagation in three planes, then fusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...progress import Progress, part_of, parts_of
from ...prompts.types import Prompt
from ...prompts.voxels import enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, Prediction, probabilities
from ...system.suggestions import with_suggestion
from ...volumes.region import Region
from ...volumes.volume import Volume
from ...volumes.windows import Window
from ..planar.fusion import FAR_LOGIT, FUSIONS
from ..planar.propagation import Marks, PixelPrompt, propagate_together
from ..planar.stacks import PLANE_NAMES
from .encoding import CLICK_LOGIT, PlanarEncoding, Stack, cut_stacks, make_encoding
from .feature_cache import SliceFeatures
from .preprocessing import (
    PUBLISHED_SIZE,
    SIZES,
    ResizePlan,
    SlicePreprocessor,
    slice_logits,
)
from .runtime import SamRuntime

DEFAULT_CACHE_BYTES = 1 << 30

# Features are cached in 16 bits.
_BYTES_PER_FEATURE = 2
# The fraction of a prediction's time that encoding takes, if there are slices to encode.
_ENCODING = 0.9

PlaneRequest = tuple[str, int, PixelPrompt]


def check_options(size: str, fusion: str, planes: Sequence[str], cache_bytes: int | str) -> int:
    """Check the options of a model of slices.

    Returns:
        `cache_bytes` as a number.

    Raises:
        ModelError: If an option has no such value.
    """
    choices = [("size", size, SIZES), ("fusion", fusion, tuple(FUSIONS))]
    choices += [("plane", plane, PLANE_NAMES) for plane in planes]
    for option, value, accepted in choices:
        if value not in accepted:
            raise ModelError(
                f"There is no {option} {with_suggestion(value, accepted)}; choose from "
                f"{', '.join(accepted)}."
            )
    if not planes:
        raise ModelError(f"No plane is named; choose from {', '.join(PLANE_NAMES)}.")
    if not str(cache_bytes).isdecimal():
        raise ModelError(f"The memory for slices is '{cache_bytes}' bytes; give 0 or more.")
    return int(cache_bytes)


class PlanarSegmenter:
    """The `Segmenter` around a network of slices.

    Args:
        card: The model's card.
        runtime: The network.
        preprocessor: The network's preprocessing of slices.
        fusion: One of `FUSIONS`.
        planes: Which of the three planes to segment.
        cache_bytes: The memory limit of the slices' features.
        window: The values that are shown to the network; None for those of MedSAM's training.
    """

    classes: tuple[str, ...] = ()

    def __init__(
        self,
        card: ModelCard,
        runtime: SamRuntime,
        preprocessor: SlicePreprocessor,
        fusion: str,
        planes: Sequence[str],
        cache_bytes: int,
        window: Window | None = None,
    ) -> None:
        check_options(preprocessor.size, fusion, planes, cache_bytes)
        self.card = card
        self._runtime = runtime
        self._preprocessor = preprocessor
        self._fused = FUSIONS[fusion]
        self._planes = tuple(planes)
        self._features = SliceFeatures(runtime, preprocessor, cache_bytes, window)

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> PlanarEncoding:
        """Cut a region (None: all) into slices; they are encoded once a prompt needs them.

        Raises:
            VolumeError: If the volume contains NaN or infinity.
        """
        progress(0.0, "Preparing the slices")
        region = region or Region.whole(volume.geometry.shape_kji)
        number, window = self._features.grey_window(volume)
        progress(0.3, "Preparing the slices")
        stacks = cut_stacks(
            volume.array_kji,
            volume.geometry,
            region,
            window,
            self._planes,
            whole_slices=self._preprocessor.size == PUBLISHED_SIZE,
        )
        progress(1.0, "Preparing the slices")
        return make_encoding(volume.geometry, region, number, stacks)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Propagate one object's prompts through the region's planes and fuse the results.

        Every marked voxel gets the label of its mark. Prompts outside the region have no effect.

        Raises:
            PromptError: For a prompt outside the volume or one the model does not take.
            DeviceError: If memory runs out.
        """
        if not isinstance(encoding, PlanarEncoding):
            raise TypeError(f"{self.card.name} cannot predict from a {type(encoding).__name__}.")
        self.card.check_takes(prompts)
        progress(0.0, "Reading the prompts")
        shape = encoding.region.shape_kji
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        stacked = {name: stack.marks(marks, shape) for name, stack in encoding.stacks.items()}
        encoded = self._encode_ahead(encoding, stacked, part_of(progress, 0.0, _ENCODING))
        propagated = propagate_together(
            stacked,
            lambda requested, share: self._predict_slices(encoding, requested, share),
            part_of(progress, _ENCODING if encoded else 0.0, 0.95),
        )
        progress(0.95, "Fusing the planes")
        planes = {name: stack.plane for name, stack in encoding.stacks.items()}
        by_plane = {name: encoding.stacks[name].volume_logits(propagated[name]) for name in planes}
        fused = self._fused(by_plane, planes)
        enforce_marks(fused, marks, CLICK_LOGIT)
        progress(1.0, "Predicting the mask")
        likely = {name: probabilities(logits) for name, logits in by_plane.items()}
        return Prediction(encoding.geometry, encoding.region.start_kji, fused, likely)

    def _encode_ahead(
        self, encoding: PlanarEncoding, marks: dict[str, Marks], progress: Progress
    ) -> bool:
        """Encode the slices that a box spans, many at a time; return whether any were missing.

        Without a box the extent of the propagation is unknown; features beyond the memory limit
        would not be kept.
        """
        lacking: list[tuple[Stack, list[int]]] = []
        for name, stack in encoding.stacks.items():
            if not marks[name].boxes:
                continue
            indices = [index for run in marks[name].slices() for index in run]
            keys = [(encoding.volume_id, stack.key(index)) for index in indices]
            missing = set(self._features.missing(keys))
            plan = self._preprocessor.resize_plan(stack.slice_images.shape[1:])
            most = self._features.room_for(self._slice_bytes(plan)) // len(encoding.stacks)
            to_encode = [index for key, index in zip(keys, indices, strict=True) if key in missing]
            if to_encode and len(indices) <= most:
                lacking.append((stack, to_encode))
        for (stack, indices), share in zip(
            lacking, parts_of(progress, max(1, len(lacking))), strict=False
        ):
            self._slice_features(encoding, stack, indices, share)
        return bool(lacking)

    def _slice_bytes(self, plan: ResizePlan) -> int:
        """The bytes of a slice's features as they are cached."""
        network = self._runtime.config
        rows, columns = (side // network.patch for side in plan.input)
        return _BYTES_PER_FEATURE * network.channels * rows * columns

    def _slice_features(
        self, encoding: PlanarEncoding, stack: Stack, indices: Sequence[int], progress: Progress
    ) -> list[NDArray[np.float16]]:
        """The features of some of a stack's slices."""
        return self._features.get(
            [(encoding.volume_id, stack.key(index)) for index in indices],
            stack.slice_images[list(indices)],
            self._preprocessor.resize_plan(stack.slice_images.shape[1:]),
            progress,
        )

    def _predict_slices(
        self, encoding: PlanarEncoding, requested: list[PlaneRequest], progress: Progress
    ) -> list[Logits]:
        """The logits of slices within the region, cached or decoded now."""
        results = {request: encoding.answers.get(request) for request in requested}
        by_plane: dict[str, list[PlaneRequest]] = {}
        for request in requested:
            if results[request] is None:
                by_plane.setdefault(request[0], []).append(request)
        # Slices of one size are decoded together, regardless of their plane.
        by_size: dict[tuple[int, int], list[tuple[PlaneRequest, NDArray[np.float16]]]] = {}
        for (name, requests), share in zip(
            by_plane.items(), parts_of(progress, max(1, len(by_plane))), strict=False
        ):
            stack = encoding.stacks[name]
            features = self._slice_features(
                encoding, stack, [index for _, index, _ in requests], share
            )
            size = self._preprocessor.resize_plan(stack.slice_images.shape[1:]).input
            by_size.setdefault(size, []).extend(zip(requests, features, strict=True))
        for size, items in by_size.items():
            stacks = [encoding.stacks[request[0]] for request, _ in items]
            plans = [
                self._preprocessor.resize_plan(stack.slice_images.shape[1:]) for stack in stacks
            ]
            prompts = [
                plan.prompt(stack.to_slice_pixels(request[2]))
                for (request, _), stack, plan in zip(items, stacks, plans, strict=True)
            ]
            decoded = self._runtime.decode([f for _, f in items], prompts, size)
            for (request, _), stack, plan, low in zip(items, stacks, plans, decoded, strict=True):
                logits = stack.crop_to_region(slice_logits(self._preprocessor, low, plan))
                # Rounded before the first use too, so that equal prompts give equal results.
                kept = logits.clip(-FAR_LOGIT, FAR_LOGIT).astype(np.float16)
                encoding.answers.put(request, kept)
                results[request] = kept
        return [np.asarray(results[request], np.float32) for request in requested]
