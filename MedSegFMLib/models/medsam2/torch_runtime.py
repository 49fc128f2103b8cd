"""SAM 2's encoder of slices and its tracker in torch, on the CPU or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...system.device import fast_gpu
from ...system.foreign_errors import check_finite_output, predicting_errors
from ..planar.video_tracker import VideoTracker
from .config_file import NAME

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import Sam2VideoModel

_PHRASE = "Encoding slices"


class TorchSam2Encoder:
    """The encoder of a network.

    The features of a slice are one array (numbers,): those of the three levels, each (channels,
    rows, columns), as the decoder of masks takes them. They are 4 MB for slices of 512 pixels.

    Args:
        network: The network, on the device.
        device: The device.
        path: The file of the weights in error messages.
    """

    def __init__(
        self, network: Sam2VideoModel, device: torch.device, path: Path | None = None
    ) -> None:
        self._network: Any = network
        self._device = device
        self._path = path

    @property
    def side(self) -> int:
        """The side length in pixels of the network's images."""
        side: int = self._network.config.image_size
        return side

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """The features of images (n, 3, side, side), one by one; on a GPU in 16 bits.

        Raises:
            DeviceError: If memory runs out.
        """
        import torch

        features = []
        for done, image in enumerate(images):
            progress(done / len(images), _PHRASE)
            batch = torch.from_numpy(image[None]).to(self._device)
            with (
                torch.inference_mode(),
                predicting_errors(NAME, self._path),
                fast_gpu(self._device),
            ):
                levels = self._network.get_image_features(batch).fpn_hidden_states
                # (rows * columns, 1, channels) each.
                flat = torch.cat([level[:, 0].T.reshape(-1).float() for level in levels])
            array: NDArray[np.float32] = flat.cpu().numpy()
            check_finite_output(array, NAME, self._path)
            features.append(array)
        return features


def sam2_tracker(
    network: Sam2VideoModel, device: torch.device, path: Path | None = None
) -> VideoTracker:
    """The `SliceTracker` around a network, for the features of `TorchSam2Encoder`.

    Args:
        network: The network, on the device.
        device: The device.
        path: The file of the weights in error messages.
    """
    import torch
    from transformers import Sam2VideoInferenceSession

    model: Any = network
    sizes = [tuple(size) for size in model.backbone_feature_sizes]
    channels = [
        model.mask_decoder.conv_s0.out_channels,
        model.mask_decoder.conv_s1.out_channels,
        model.hidden_dim,
    ]
    # Of the coarsest level alone, to which the memory attends.
    position = model.vision_encoder.neck.position_encoding(
        (1, channels[-1], *sizes[-1]), device, torch.float32
    )
    position = position.flatten(2).permute(2, 0, 1)

    def levels(features: NDArray[Any]) -> dict[str, list[Tensor]]:
        flat = torch.from_numpy(np.ascontiguousarray(features, np.float32)).to(device)
        counts = [n * rows * columns for n, (rows, columns) in zip(channels, sizes, strict=True)]
        parts = zip(flat.split(counts), channels, strict=True)
        # A session keeps (rows * columns, 1, channels).
        maps = [part.view(n, -1).T[:, None] for part, n in parts]
        return {"vision_feats": maps, "vision_pos_embeds": [position] * len(maps)}

    return VideoTracker(model, Sam2VideoInferenceSession, levels, device, NAME, path)
