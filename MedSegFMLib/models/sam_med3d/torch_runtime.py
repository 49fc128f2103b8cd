"""SAM-Med3D's network in torch, on the CPU or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...segmenter import Logits
from ...system.foreign_errors import check_finite_output, predicting_errors
from ..common.torch_blocks import between_blocks
from .weights import NAME, Network

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_ENCODING = "Encoding the image"


class TorchRuntime:
    """A network on a device.

    Args:
        network: The network, on any device.
        device: The device.
        path: The file of the weights in error messages.
    """

    def __init__(self, network: Network, device: torch.device, path: Path | None = None) -> None:
        self._encoder: Any = network.encoder.to(device)
        self._prompts: Any = network.prompts.to(device)
        self._decoder: Any = network.decoder.to(device)
        self._device = device
        self._path = path
        self.sizes = network.sizes

    def encode(self, image: Logits, progress: Progress) -> Tensor:
        """The features of an image (side, side, side), float32 with mean 0 and deviation 1.

        Returns:
            (1, channels, side / 16, side / 16, side / 16) on the device.

        Raises:
            DeviceError: If memory runs out.
            ModelError: If the network fails.
        """
        import torch

        with (
            torch.inference_mode(),
            predicting_errors(NAME, self._path),
            between_blocks(self._encoder.blocks, progress, _ENCODING),
        ):
            features: Tensor = self._encoder(self._tensor(image))
        self._check(features)
        return features

    def decode(
        self, features: Tensor, click: tuple[NDArray[np.float32], bool] | None, mask: Logits
    ) -> Logits:
        """The mask after one more click.

        Args:
            features: Those that `encode` returned.
            click: Its position (3,) in cells of the image, and whether it is on the object; None
                for none.
            mask: (side / 4, side / 4, side / 4) float32 logits of the step before, 0 at the first.

        Returns:
            Such logits.

        Raises:
            DeviceError: If memory runs out.
            ModelError: If the network fails.
        """
        import torch

        with torch.inference_mode(), predicting_errors(NAME, self._path):
            points = None
            if click is not None:
                position, positive = click
                labels = torch.tensor([[int(positive)]], device=self._device)
                points = [torch.from_numpy(position)[None, None].to(self._device), labels]
            sparse, dense = self._prompts(points=points, boxes=None, masks=self._tensor(mask))
            masks, _ = self._decoder(
                image_embeddings=features,
                image_pe=self._prompts.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            self._check(masks)
        found: Logits = masks[0, 0].cpu().numpy()
        return found

    def _tensor(self, array: Logits) -> Tensor:
        """(1, 1, …) on the device."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(array))[None, None].to(self._device)

    def _check(self, values: Tensor) -> None:
        check_finite_output(values.float().cpu().numpy(), NAME, self._path)
