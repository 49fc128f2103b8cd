"""Preprocessing of slices for SAM 2 and SAM 3: grey levels resized to a square, or the region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..planar.grey_levels import GreyLevels
from .preprocessing import PUBLISHED_SIZE, ResizePlan, Size, region_plan, resized

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SquarePreprocessor:
    """Grey levels by Pillow: whole slices as a square, or the region as `SamPreprocessor` has it.

    A square has `side` pixels a side, whatever the slice's proportions. A grey level g, 0 to 255,
    becomes (g / divisor - mean) / deviation. Logits are bilinear on the way back.

    Attributes:
        side: the side of the input that the network was trained on, in pixels.
        resampling: the interpolation of Pillow.
        divisor: see above.
        mean, deviation: one for all three channels, or one for each.
        size: one of `SIZES`; the published one is the square.
        multiple: the number of pixels to multiples of which a region is padded with zeros.
    """

    side: int
    resampling: Literal["BILINEAR", "BICUBIC"]
    divisor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    size: str = PUBLISHED_SIZE
    multiple: int = 1

    def resize_plan(self, slice_size: Size) -> ResizePlan:
        """The position in the input of a slice of (rows, columns) pixels."""
        if self.size != PUBLISHED_SIZE:
            return region_plan(slice_size, self.size, self.multiple, self.side)
        square = (self.side, self.side)
        return ResizePlan(slice_size, square, square)

    def images(self, slice_images: GreyLevels, plan: ResizePlan) -> NDArray[np.float32]:
        """(n, 3, H, W): preprocessed slices (n, rows, columns)."""
        from PIL import Image

        mean, deviation = (
            np.array(values, np.float32)[:, None, None] for values in (self.mean, self.deviation)
        )
        images = np.zeros((len(slice_images), 3, *plan.input), np.float32)
        rows, columns = plan.content
        for image, slice_image in zip(images, slice_images, strict=True):
            shown = Image.fromarray(slice_image)
            if plan.content != plan.slice_size:
                shown = shown.resize((columns, rows), Image.Resampling[self.resampling])
            levels = np.asarray(shown, np.float32) / self.divisor
            image[:, :rows, :columns] = (levels - mean) / deviation
        return images

    def resize_logits(self, low: Tensor, plan: ResizePlan) -> Tensor:
        """(n, rows, columns): the network's logits (n, h, w), resampled to the slices."""
        if plan.content != plan.input:
            low = resized(low, plan.input)[:, : plan.content[0], : plan.content[1]]
        return resized(low, plan.slice_size)
