"""A slice through SAM with adapters: preprocessing, cached frozen blocks, and logits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ....models.sam.network.crossplane import CrossPlane
from ....models.sam.preprocessing import ResizePlan, SlicePreprocessor
from ....system.memory_cache import LruByteCache
from ...precision import autocast
from .gradient_cache import View as Answering
from .plane_views import View
from .samples import Sample

# A larger number is infinite in 16 bits.
_LARGEST_HALF = 6e4


class ViewNetwork:
    """Creates functions that compute the logits of views.

    Args:
        network: SAM with adapters.
        preprocessor: the preprocessing of slices.
        device: the device.
        half: whether to compute in 16 bits.
        prefix_bytes: memory for the output of the frozen blocks, 0 for none. Cached values are
            rounded to 16 bits; fresh values are too before they are stored, so that both are equal.
    """

    def __init__(
        self,
        network: CrossPlane,
        preprocessor: SlicePreprocessor,
        device: torch.device,
        half: bool,
        prefix_bytes: int,
    ) -> None:
        self._network = network
        self._preprocessor = preprocessor
        self._device = device
        self._half = half
        self._cache: LruByteCache[tuple[object, ...], list[Tensor]] | None = None
        if prefix_bytes:
            self._cache = LruByteCache(
                prefix_bytes, lambda states: sum(tokens.nbytes for tokens in states)
            )

    def answering(self, sample: Sample) -> list[Answering]:
        """A function for each view that returns its logits (rows, columns), float32."""
        return [self._answering(view) for view in sample.views]

    def _answering(self, view: View) -> Answering:
        plan = self._preprocessor.resize_plan(
            (view.slice_image.shape[0], view.slice_image.shape[1])
        )
        states = self._states(view, plan)
        prompt = plan.prompt(view.prompt)
        boxes = None if prompt.box is None else self._tensor([prompt.box])
        points = self._tensor([[point[:2] for point in prompt.points]]).reshape(1, -1, 2)
        positive = torch.tensor([[point[2] for point in prompt.points]], device=self._device)

        def answer() -> Tensor:
            # Each call has its own context; see `cached_backward`.
            with autocast(self._device, self._half):
                features = self._network.features(states)
            low = self._network.decode(features.to(self._kind), boxes, points, positive)
            return self._preprocessor.resize_logits(low, plan)[0]

        return answer

    def _states(self, view: View, plan: ResizePlan) -> list[Tensor]:
        kept = None if self._cache is None else self._cache.get(view.key)
        if kept is None:
            images = self._preprocessor.images(np.asarray(view.slice_image)[None], plan)
            with autocast(self._device, self._half):
                states: list[Tensor] = self._network.prefix(self._tensor(images))
            if self._cache is None:
                return states
            kept = [t.clamp(-_LARGEST_HALF, _LARGEST_HALF).half().cpu() for t in states]
            self._cache.put(view.key, kept)
        # The encoder computes in 16 or 32 bits.
        kind = next(self._network.sam.trunk.parameters()).dtype
        return [tokens.to(self._device, kind) for tokens in kept]

    @property
    def _kind(self) -> torch.dtype:
        """The dtype of the decoder: 32 bits, or 64 in tests."""
        kind: torch.dtype = next(self._network.sam.mask_decoder.parameters()).dtype
        return kind

    def _tensor(self, values: object) -> Tensor:
        return torch.as_tensor(values, dtype=self._kind, device=self._device)
