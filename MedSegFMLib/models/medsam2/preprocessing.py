"""Preprocessing of slices for MedSAM2: grey levels, 0 to 255, resized to a square.

As in medsam2_infer_3D_CT.py of its repository: cubic resizing by Pillow whatever the proportions,
then the mean and deviation of ImageNet. Logits are resized bilinearly to the slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..planar.grey_levels import GreyLevels
from ..sam.preprocessing import PUBLISHED_SIZE, ResizePlan, Size

if TYPE_CHECKING:
    from torch import Tensor

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
_STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


class Sam2Preprocessor:
    """Both sides to `side` pixels, whole slices as published."""

    size = PUBLISHED_SIZE

    def __init__(self, side: int) -> None:
        self._side = side

    def resize_plan(self, slice_size: Size) -> ResizePlan:
        """The position in the input of a slice of (rows, columns) pixels: all of it."""
        square = (self._side, self._side)
        return ResizePlan(slice_size, square, square)

    def images(self, slice_images: GreyLevels, plan: ResizePlan) -> NDArray[np.float32]:
        """(n, 3, side, side): preprocessed slices (n, rows, columns)."""
        from PIL import Image

        images = np.empty((len(slice_images), 3, *plan.input), np.float32)
        for image, slice_image in zip(images, slice_images, strict=True):
            resized = Image.fromarray(slice_image).resize(
                plan.input[::-1], Image.Resampling.BICUBIC
            )
            image[...] = (np.asarray(resized, np.float32) / 255 - _MEAN) / _STD
        return images

    def resize_logits(self, low: Tensor, plan: ResizePlan) -> Tensor:
        """(n, rows, columns): the network's logits (n, h, w), resampled to the slices."""
        from torch.nn.functional import interpolate

        return interpolate(low[:, None], plan.slice_size, mode="bilinear", align_corners=False)[
            :, 0
        ]
