"""VoxTell's network in windows over an image, as its package runs it. Needs torch and nnunetv2.

The package prepares windows in a thread of its own; here they follow one another, with progress and
cancellation at each. Preprocessing, windows and their weights are nnU-Net's own functions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from acvl_utils.cropping_and_padding.padding import pad_nd_image
from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero
from nnunetv2.preprocessing.normalization.default_normalization_schemes import (
    ZScoreNormalization,
)
from numpy.typing import NDArray

from ...progress import Progress
from ..nnunet.torch_stitching import stitched
from .embedding_bank import Vector

_log = logging.getLogger(__name__)
# The logit of the zero border that is cropped: certainly background.
UNSEEN = -16.0


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """A normalised image.

    Attributes:
        voxels: (1, k, j, i) float32 of the part that is not a zero border; None if all is zero.
        part: Its bounds in the image.
        shape: That of the image.
    """

    voxels: torch.Tensor | None
    part: tuple[slice, ...]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """The memory of the voxels."""
        return 0 if self.voxels is None else self.voxels.nbytes


def prepared(image_kji: NDArray[np.float32]) -> PreparedImage:
    """Cut the zero border of an image with k toward the head, j the front, i the right; normalise.

    The array is not written to.
    """
    shape = image_kji.shape
    if not image_kji.any():
        return PreparedImage(None, (slice(0, 0),) * 3, shape)
    part, _, box = crop_to_nonzero(image_kji[None], None)
    normalised = ZScoreNormalization(intensityproperties={}).run(part.copy(), None)
    return PreparedImage(torch.from_numpy(normalised), tuple(slice(*b) for b in box), shape)


class WindowedVoxTell:
    """The network on a device.

    Args:
        network: The network.
        patch: The sides of a window.
        step: The step between windows as a fraction of their width.
        device: The device.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        patch: Sequence[int],
        step: float,
        device: torch.device,
    ) -> None:
        self._network = network.to(device)
        self._patch = tuple(patch)
        self._step = step
        self._device = device

    def scores(
        self, image: PreparedImage, embedding: Vector, progress: Progress
    ) -> NDArray[np.float16]:
        """The logits of a phrase in each voxel of the image.

        Args:
            image: The image.
            embedding: Of the phrase (channels).
            progress: Called before each window.

        Raises:
            ModelError: The logits are too large for 16 bits.
        """
        whole = np.full(image.shape, UNSEEN, np.float16)
        if image.voxels is None:
            return whole
        # With this context the rest is nnU-Net's padding and steps.
        with torch.inference_mode(), self._fast():
            data, inner = pad_nd_image(
                image.voxels, self._patch, "constant", {"value": 0}, True, None
            )
            steps = compute_steps_for_sliding_window(data.shape[1:], self._patch, self._step)
            windows = [
                (slice(None), *(slice(n, n + w) for n, w in zip(corner, self._patch, strict=True)))
                for corner in product(*steps)
            ]
            logits = self._summed(data, windows, embedding, progress)[(slice(None), *inner[1:])]
        whole[image.part] = logits[0].cpu().numpy()
        return whole

    def _summed(
        self, data: torch.Tensor, windows: Sequence[Any], embedding: Vector, progress: Progress
    ) -> torch.Tensor:
        """The stitched windows, on the CPU if a GPU cannot hold the sum."""
        text = torch.from_numpy(embedding)[None, None].to(self._device)
        reported = 0.0

        def stitch(device: torch.device) -> torch.Tensor:
            done = 0

            def predict(patch: torch.Tensor) -> torch.Tensor:
                nonlocal done, reported
                # After running out of memory it begins again; progress never decreases.
                reported = max(reported, done / len(windows))
                progress(reported, "Looking for the object")
                done += 1
                found: torch.Tensor = self._network(patch.to(self._device), text)[0]
                return found

            return stitched(data, windows, self._patch, 1, predict, device, "VoxTell")

        if self._device.type == "cuda":
            try:
                return stitch(self._device)
            except torch.cuda.OutOfMemoryError:
                _log.warning("The scores do not fit on the GPU; using the computer's memory")
                torch.cuda.empty_cache()
        return stitch(torch.device("cpu"))

    def _fast(self) -> AbstractContextManager[Any]:
        return torch.autocast("cuda") if self._device.type == "cuda" else nullcontext()
