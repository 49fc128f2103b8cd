"""Effects of a scanner and its settings on an image: blur, bias, contrast and noise.

The effects are mild and independent of the modality, because the image may be real.
`random.acquisition` simulates a device from ideal tissue brightness.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..fields import Frame

_SAMPLE_VOXELS = 4096
_BOUNDS = (0.005, 0.995)


def scanned(image: Tensor, frame: Frame, real: bool) -> Tensor:
    """(K, J, I) float32 image of a random scanner, its 0.5 and 99.5 percentiles at 0 and 1.

    Args:
        image: (K, J, I) intensities.
        frame: the scene's grid.
        real: whether the image comes from a real scanner, so that it is blurred less often.
    """
    rng = frame.generators.host
    if not real or rng.random() < 0.25:
        image = _blurred(image, rng.uniform(0.4, 1.0, 3))
    if rng.random() < 0.5:
        strength = rng.uniform(0.05, 0.3)
        image = image * (1 + float(strength) * frame.fields(rng.uniform(1, 3))[0])
    # A window of part of the intensities, as used by radiologists for CT.
    window = rng.uniform(0, 0.15), rng.uniform(0.8, 1)
    image = _stretched(image, *(window if rng.random() < 0.25 else _BOUNDS))
    if rng.random() < 0.6:
        image = image.pow(float(np.exp(rng.normal(0, 0.3))))
    if rng.random() < 0.1:
        image = 1 - image
    if rng.random() < 0.6:
        image = image + float(rng.uniform(0, 0.08)) * frame.noise(image.shape)
    return _stretched(image)


def _stretched(image: Tensor, lowest: float = _BOUNDS[0], highest: float = _BOUNDS[1]) -> Tensor:
    """The image with two of its quantiles mapped to 0 and 1."""
    flat = image.reshape(-1)
    # An odd step, because an even one may sample only a few columns of voxels.
    sample = flat[:: max(1, flat.numel() // _SAMPLE_VOXELS) | 1].sort().values
    low = sample[int(lowest * (sample.numel() - 1))]
    high = sample[int(highest * (sample.numel() - 1))]
    return ((image - low) / (high - low).clamp(min=1e-4)).clamp(0, 1)


def _blurred(image: Tensor, sigmas: np.ndarray) -> Tensor:
    """Three-tap smoothing along each axis, of about these standard deviations in voxels."""
    image = image[None, None]
    for axis, sigma in enumerate(sigmas):
        side = float(np.exp(-0.5 / sigma**2))
        kernel = torch.tensor([side, 1, side], device=image.device) / (1 + 2 * side)
        shape, pad = [1, 1, 1, 1, 1], [0] * 6
        shape[2 + axis], pad[4 - 2 * axis], pad[5 - 2 * axis] = 3, 1, 1
        image = F.conv3d(F.pad(image, pad, mode="replicate"), kernel.reshape(shape))
    return image[0, 0]
