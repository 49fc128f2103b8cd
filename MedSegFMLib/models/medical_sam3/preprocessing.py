"""Preprocessing of slices for SAM3: grey levels resized to a square, 0 to 255 scaled to -1 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..planar.grey_levels import GreyLevels
from ..planar.propagation import Rectangle
from ..sam.preprocessing import PUBLISHED_SIZE, ResizePlan, Size
from .runtime import RelativeBox

if TYPE_CHECKING:
    from torch import Tensor

_MEAN = _STD = 127.5


class Sam3Preprocessor:
    """Both sides to `side` pixels, bilinear, whatever the proportions; logits bilinear back.

    As in transformers' Sam3ImageProcessor: mean and deviation 0.5 in all three channels.
    """

    # Images always contain whole slices, as published.
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
                plan.input[::-1], Image.Resampling.BILINEAR
            )
            image[...] = (np.asarray(resized, np.float32) - _MEAN) / _STD
        return images

    def resize_logits(self, low: Tensor, plan: ResizePlan) -> Tensor:
        """(n, rows, columns): the network's logits (n, h, w), resampled to the slices."""
        from torch.nn.functional import interpolate

        return interpolate(low[:, None], plan.slice_size, mode="bilinear", align_corners=False)[
            :, 0
        ]


def relative(box: Rectangle, slice_size: Size) -> RelativeBox:
    """A half-open box of pixels as fractions of a slice of (rows, columns) pixels."""
    top, left, bottom, right = box
    rows, columns = slice_size
    across, down = (right - left) / columns, (bottom - top) / rows
    return (left / columns + across / 2, top / rows + down / 2, across, down)
