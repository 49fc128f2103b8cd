"""Preprocessing of whole slices for SAM 2 and SAM 3: grey levels resized to a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..planar.grey_levels import GreyLevels
from .preprocessing import PUBLISHED_SIZE, ResizePlan, Size

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SquarePreprocessor:
    """Both sides to `side` pixels by Pillow, whatever the proportions; logits bilinear back.

    A grey level g, 0 to 255, becomes (g / divisor - mean) / deviation.

    Attributes:
        side: the side of the network's input in pixels.
        resampling: the interpolation of Pillow.
        divisor: see above.
        mean, deviation: one for all three channels, or one for each.
    """

    side: int
    resampling: Literal["BILINEAR", "BICUBIC"]
    divisor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def size(self) -> str:
        """The name of the way in which slices are resized: images contain whole slices."""
        return PUBLISHED_SIZE

    def resize_plan(self, slice_size: Size) -> ResizePlan:
        """The position in the input of a slice of (rows, columns) pixels: all of it."""
        square = (self.side, self.side)
        return ResizePlan(slice_size, square, square)

    def images(self, slice_images: GreyLevels, plan: ResizePlan) -> NDArray[np.float32]:
        """(n, 3, side, side): preprocessed slices (n, rows, columns)."""
        from PIL import Image

        mean, deviation = (
            np.array(values, np.float32)[:, None, None] for values in (self.mean, self.deviation)
        )
        images = np.empty((len(slice_images), 3, *plan.input), np.float32)
        for image, slice_image in zip(images, slice_images, strict=True):
            resized = Image.fromarray(slice_image).resize(
                plan.input[::-1], Image.Resampling[self.resampling]
            )
            image[...] = (np.asarray(resized, np.float32) / self.divisor - mean) / deviation
        return images

    def resize_logits(self, low: Tensor, plan: ResizePlan) -> Tensor:
        """(n, rows, columns): the network's logits (n, h, w), resampled to the slices."""
        from torch.nn.functional import interpolate

        return interpolate(low[:, None], plan.slice_size, mode="bilinear", align_corners=False)[
            :, 0
        ]
