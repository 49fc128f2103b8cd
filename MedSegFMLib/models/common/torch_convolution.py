"""A 3D convolution that can be trained with 16 bits on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_WRONG_SLICES = 2


class Convolution3d(nn.Conv3d):  # type: ignore[misc]
    """`torch.nn.Conv3d`, in 32 bits for shapes of which oneDNN's 16-bit gradients are wrong.

    For two slices, the gradient of the weights in bfloat16 on a CPU is not that of the loss, and
    often not finite (torch 2.14 on AVX-512 with bfloat16; kernel 3, stride 1).
    """

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, K, J, I) to (B, C', K', J', I')."""
        if torch.is_autocast_enabled("cpu") and features.shape[2] == _WRONG_SLICES:
            with torch.autocast("cpu", enabled=False):
                return super().forward(features.float())
        return super().forward(features)
