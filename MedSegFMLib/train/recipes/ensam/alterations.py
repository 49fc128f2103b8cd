"""Alterations of an image in training, as in the ENSAM paper: bias, smoothing, histogram shift.

MONAI's transforms with their own ranges; the paper gives the kinds and their probability.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from ....errors import TrainingError
from ....system.installing import extra_command

_SEEDS = 1 << 31


def check_alterations() -> None:
    """Check that MONAI is installed.

    Raises:
        TrainingError: it is not.
    """
    if find_spec("monai") is None:
        raise TrainingError(
            f"Training on data= alters images with monai, which is not installed; run: "
            f"{extra_command('models')}, or give alter=0."
        )


def altered(image: Tensor, probability: float, host: np.random.Generator) -> Tensor:
    """An image (K, J, I) with a bias field, smoothed, and with its histogram shifted.

    Args:
        image: float32, 0 to 1.
        probability: that of each alteration.
        host: the random generator.
    """
    if not probability:
        return image
    from monai.transforms import RandBiasField, RandGaussianSmooth, RandHistogramShift

    for kind in (RandBiasField, RandGaussianSmooth, RandHistogramShift):
        transform = kind(prob=probability)
        transform.set_random_state(seed=int(host.integers(_SEEDS)))
        # A constant image has no histogram to shift, and MONAI warns about it.
        if float(image.min()) < float(image.max()):
            image = torch.as_tensor(np.asarray(transform(image[None].cpu())[0])).to(image.device)
    return image.float()
