"""Windows of a network stitched as nnU-Net stitches them. Needs torch and nnunetv2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian

from ...errors import ModelError


def stitched(
    data: torch.Tensor,
    windows: Sequence[Any],
    patch_size: Sequence[int],
    channels: int,
    predict: Callable[[torch.Tensor], torch.Tensor],
    device: torch.device,
    model: str,
) -> torch.Tensor:
    """The predictions of all windows, with nnU-Net's Gaussian weights and 16 bits.

    Args:
        data: (inputs, ...) the padded image.
        windows: Slices of `data`, channels first.
        patch_size: The sides of a window.
        channels: The number of a prediction's channels.
        predict: The logits (channels, ...) of a window (1, inputs, ...).
        device: The device that holds the sum.
        model: The title of the model, for the message.

    Raises:
        ModelError: A logit is too large for 16 bits, or not a number.
    """
    data = data.to(device)
    bell = compute_gaussian(
        tuple(patch_size), sigma_scale=1.0 / 8, value_scaling_factor=10, device=device
    )
    total = torch.zeros((channels, *data.shape[1:]), dtype=torch.half, device=device)
    weights = torch.zeros(data.shape[1:], dtype=torch.half, device=device)
    for window in windows:
        prediction = predict(data[window][None].contiguous()).to(device)
        prediction *= bell
        total[window] += prediction
        weights[window[1:]] += bell
    total /= weights
    if not bool(torch.isfinite(total).all()):
        raise ModelError(
            f"The logits of {model}'s network are too large for 16 bits; give it a volume with "
            "intensities like those that it was trained on."
        )
    return total
