"""SAM's network in torch, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, no_progress
from ...segmenter import Logits
from ...system.device import (
    fast_gpu,
    is_gpu_out_of_memory,
    on_device,
    release_gpu_memory,
)
from ...system.foreign_errors import check_finite_output, predicting_errors
from .network.config import NetworkConfig
from .runtime import SlicePrompt

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .network.image_sam import ImageSam
    from .network.network import Sam

_PHRASE = "Encoding slices"

# Patches a batch: those of four images of 1024 by 1024 on a GPU, halved if its memory is short. A
# smaller batch keeps a CPU busy, and work can be cancelled between batches.
_PATCHES_ON_GPU = 4 * 64 * 64
_PATCHES_ON_CPU = 1024
# The factor for the decoder's batches, as the decoder needs less memory a slice.
_MORE_DECODED = 16


class TorchSamRuntime:
    """The `SamRuntime` around a network that is moved to a device.

    Args:
        network: The network.
        device: The device.
        model: The model name in error messages.
        half: Whether the encoder computes in 16 bits on a CPU; on a GPU it always does.
    """

    def __init__(
        self, network: Sam | ImageSam, device: torch.device, model: str = "sam", half: bool = False
    ) -> None:
        # Empty: its features are not stored on disk.
        self.identity = ""
        self._config: NetworkConfig = network.config
        self._network: Any = network.to(device)
        self._encoder = network.encoder
        self._decoder = network.decoder
        self._device = device
        self._model = model
        self._half = half
        self._patches = _PATCHES_ON_CPU if device.type == "cpu" else _PATCHES_ON_GPU

    @property
    def config(self) -> NetworkConfig:
        """See `SamRuntime.config`."""
        return self._config

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """See `SamRuntime.encode`; on a GPU in 16 bits, many at a time."""
        patches = images.shape[2] * images.shape[3] // self._config.patch**2
        features: list[NDArray[np.float32]] = []
        for batch in self._in_batches(
            len(images), patches, lambda part: self._encoded(images[part]), progress
        ):
            features.extend(batch)
        return features

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        prompts: Sequence[SlicePrompt],
        size_hw: tuple[int, int],
    ) -> list[Logits]:
        """See `SamRuntime.decode`; prompts of one kind are decoded together."""
        results: dict[int, Logits] = {}
        patches = max(1, size_hw[0] * size_hw[1] // self._config.patch**2 // _MORE_DECODED)
        for alike in _alike(prompts):

            def decoded(part: slice, alike: list[int] = alike) -> list[Logits]:
                return self._decoded_alike(
                    np.stack([features[n] for n in alike[part]]).astype(np.float32, copy=False),
                    [prompts[n] for n in alike[part]],
                    size_hw,
                )

            batches = self._in_batches(len(alike), patches, decoded, no_progress)
            logits = [each for batch in batches for each in batch]
            results.update(zip(alike, logits, strict=True))
        return [results[n] for n in range(len(prompts))]

    def _encoded(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features of a batch."""
        with self._fast():
            features = self._encoder(self._tensor(images))
        array: NDArray[np.float32] = features.float().cpu().numpy()
        return array

    def _decoded(
        self, features: NDArray[np.float32], positions: Tensor, tokens: Tensor
    ) -> tuple[Logits, Logits]:
        """The masks and qualities of a batch, as `SamDecoder` returns them."""
        masks, qualities = self._decoder(self._tensor(features), positions, tokens)
        return masks.cpu().numpy(), qualities.cpu().numpy()

    def _decoded_alike(
        self,
        features: NDArray[np.float32],
        prompts: Sequence[SlicePrompt],
        size_hw: tuple[int, int],
    ) -> list[Logits]:
        """The logits of a batch with prompts of one kind."""
        positions = self._network.image_positions(*features.shape[2:])
        masks, qualities = self._decoded(features, positions, self._tokens(prompts, size_hw))
        check_finite_output(masks, self._model)
        check_finite_output(qualities, self._model)
        chosen = np.zeros(len(prompts), np.int64)
        if prompts[0].is_ambiguous:
            chosen = 1 + qualities[:, 1:].argmax(axis=1)
        return [mask[n].copy() for mask, n in zip(masks, chosen, strict=True)]

    def _tokens(self, prompts: Sequence[SlicePrompt], size_hw: tuple[int, int]) -> Tensor:
        """The tokens (n, t, c) of prompts of one kind."""
        import torch

        boxes = None
        if prompts[0].box is not None:
            boxes = self._tensor(np.array([prompt.box for prompt in prompts], np.float32))
        points = np.array([prompt.points for prompt in prompts], np.float32)
        points = points.reshape(len(prompts), -1, 3)
        positive = torch.from_numpy(points[..., 2] > 0).to(self._device)
        return self._network.prompt_tokens(boxes, self._tensor(points[..., :2]), positive, size_hw)

    def _in_batches(
        self, count: int, patches: int, compute: Callable[[slice], Any], progress: Progress
    ) -> list[Any]:
        """The results of `compute` for each batch; batches shrink if a GPU runs out of memory."""
        import torch

        results, done = [], 0
        while done < count:
            progress(done / count, _PHRASE)
            most = max(1, self._patches // patches)
            part = slice(done, min(done + most, count))
            size = part.stop - part.start
            with torch.inference_mode(), predicting_errors(self._model):
                try:
                    results.append(compute(part))
                except RuntimeError as error:
                    if size == 1 or not is_gpu_out_of_memory(error):
                        raise
                    release_gpu_memory()
                    self._patches = size // 2 * patches
                    continue
            done = part.stop
        progress(1.0, _PHRASE)
        return results

    def _fast(self) -> AbstractContextManager[Any]:
        """16 bits: bfloat16 on a CPU if it is to, and those of the GPU."""
        import torch

        if self._device.type == "cpu" and self._half:
            fast: AbstractContextManager[Any] = torch.autocast("cpu", torch.bfloat16)
            return fast
        return fast_gpu(self._device)

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        return on_device(array, self._device)


def _alike(prompts: Sequence[SlicePrompt]) -> list[list[int]]:
    """Indices of prompts grouped by kind: with a box or without, equally many points."""
    kinds: dict[tuple[bool, int], list[int]] = {}
    for index, prompt in enumerate(prompts):
        kinds.setdefault((prompt.box is not None, len(prompt.points)), []).append(index)
    return list(kinds.values())
