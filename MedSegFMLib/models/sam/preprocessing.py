"""Preprocessing of slices for SAM and MedSAM, and resampling of their logits to the slice.

At "1024" as published: SAM as in segment_anything's SamPredictor, MedSAM as in MedSAM_Inference.py.
SAM 2 and SAM 3 have `square_slices`. Otherwise the network gets the region alone, padded with zeros
at the right and lower sides to a multiple of 16: at "native" with its own pixels, but no side
longer than 1024; at "224" and "448" with its longest side resized to that number of pixels. Those
are whole windows of 14 patches: SAM pads its windows with zeros, so that a much smaller image still
costs half as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ..planar.grey_levels import GreyLevels
from ..planar.propagation import PixelPrompt
from .runtime import SlicePrompt

if TYPE_CHECKING:
    from torch import Tensor

SIZES = ("native", "224", "448", "1024")
PUBLISHED_SIZE = "1024"
_SIDE = 1024
_PATCH = 16

# SAM's own normalisation (segment_anything/build_sam.py), of grey levels 0 to 255.
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_STD = np.array([58.395, 57.12, 57.375], np.float32)

# A probability of exactly 0 or 1 has no finite logit.
_LEAST_PROBABILITY = 1e-7

Size = tuple[int, int]


@dataclass(frozen=True)
class ResizePlan:
    """The position of a slice in the network's input: at the upper left, `content` pixels of it.

    Attributes:
        slice_size: (rows, columns) of the slice.
        content: (rows, columns) of the resized slice.
        input: (rows, columns) of the network's input.
    """

    slice_size: Size
    content: Size
    input: Size

    def prompt(self, prompt: PixelPrompt) -> SlicePrompt:
        """A slice's prompt in pixels of the input; a box ends at the centre of its last pixel."""
        down, across = (c / p for c, p in zip(self.content, self.slice_size, strict=True))
        box = None
        if prompt.box is not None:
            top, left, bottom, right = prompt.box
            box = (left * across, top * down, (right - 1) * across, (bottom - 1) * down)
        points = tuple((column * across, row * down, on) for row, column, on in prompt.points)
        return SlicePrompt(box, points)


class SlicePreprocessor(Protocol):
    """A network's preprocessing of slices and postprocessing of logits."""

    @property
    def size(self) -> str:
        """One of `SIZES`."""

    def resize_plan(self, slice_size: Size) -> ResizePlan:
        """The position in the input of a slice of (rows, columns) pixels."""

    def images(self, slice_images: GreyLevels, plan: ResizePlan) -> NDArray[np.float32]:
        """(n, 3, H, W): preprocessed slices (n, rows, columns)."""

    def resize_logits(self, low: Tensor, plan: ResizePlan) -> Tensor:
        """(n, rows, columns): the network's logits (n, H/4, W/4), resampled to the slices."""


def slice_logits(preprocessor: SlicePreprocessor, low: Logits, plan: ResizePlan) -> Logits:
    """(rows, columns) float32: a network's logits (H/4, W/4), resampled to the slice."""
    import torch

    resized = preprocessor.resize_logits(
        torch.from_numpy(np.ascontiguousarray(low, np.float32))[None], plan
    )
    return np.ascontiguousarray(resized[0].numpy())


class SamPreprocessor:
    """Longest side to 1024, bilinear; mean and deviation of SAM's training; logits bilinear."""

    def __init__(self, size: str) -> None:
        self.size = size

    def resize_plan(self, slice_size: Size) -> ResizePlan:
        """See `SlicePreprocessor.resize_plan`."""
        if self.size != PUBLISHED_SIZE:
            return region_plan(slice_size, self.size)
        return ResizePlan(slice_size, _scaled(slice_size, _SIDE), (_SIDE, _SIDE))

    def images(self, slice_images: GreyLevels, plan: ResizePlan) -> NDArray[np.float32]:
        """See `SlicePreprocessor.images`."""
        from PIL import Image

        images = np.zeros((len(slice_images), 3, *plan.input), np.float32)
        rows, columns = plan.content
        for image, slice_image in zip(images, slice_images, strict=True):
            if plan.content != plan.slice_size:
                resized = Image.fromarray(slice_image).resize(
                    (columns, rows), Image.Resampling.BILINEAR
                )
                slice_image = np.asarray(resized)
            image[:, :rows, :columns] = (slice_image - _MEAN[:, None, None]) / _STD[:, None, None]
        return images

    def resize_logits(self, low: Tensor, plan: ResizePlan) -> Tensor:
        """See `SlicePreprocessor.resize_logits`; Sam.postprocess_masks of segment_anything."""
        whole = resized(low, plan.input)[:, : plan.content[0], : plan.content[1]]
        return resized(whole, plan.slice_size)


class MedsamPreprocessor:
    """Both sides to 1024, bicubic; least and greatest level to 0 and 1; probabilities bilinear."""

    def __init__(self, size: str) -> None:
        self.size = size

    def resize_plan(self, slice_size: Size) -> ResizePlan:
        """See `SlicePreprocessor.resize_plan`."""
        if self.size != PUBLISHED_SIZE:
            return region_plan(slice_size, self.size)
        return ResizePlan(slice_size, (_SIDE, _SIDE), (_SIDE, _SIDE))

    def images(self, slice_images: GreyLevels, plan: ResizePlan) -> NDArray[np.float32]:
        """See `SlicePreprocessor.images`."""
        images = np.zeros((len(slice_images), 3, *plan.input), np.float32)
        rows, columns = plan.content
        for image, slice_image in zip(images, slice_images, strict=True):
            if plan.content != plan.slice_size:
                slice_image = bicubic(slice_image, plan.content)
            levels = slice_image.astype(np.float32)
            levels -= levels.min()
            image[:, :rows, :columns] = levels / max(float(levels.max()), 1e-8)
        return images

    def resize_logits(self, low: Tensor, plan: ResizePlan) -> Tensor:
        """See `SlicePreprocessor.resize_logits`; above 0 if the probability there is over 0.5."""
        probability = low.sigmoid()
        if plan.content != plan.input:
            probability = resized(probability, plan.input)[:, : plan.content[0], : plan.content[1]]
        probability = resized(probability, plan.slice_size)
        return probability.clamp(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY).logit()


def bicubic(slice_image: GreyLevels, size: Size) -> GreyLevels:
    """A slice (rows, columns) at another size, by cubic splines.

    Equivalent to scikit-image's resize(order=3, anti_aliasing=True, preserve_range=True): if it
    shrinks by a factor f it is smoothed first, with a Gaussian of deviation (f - 1) / 2. Overshoots
    are clipped to the slice's own range and fractions truncated.
    """
    from scipy.ndimage import gaussian_filter, zoom

    factors = [new / old for new, old in zip(size, slice_image.shape, strict=True)]
    smooth = gaussian_filter(
        slice_image.astype(np.float64), [max(0.0, (1 / f - 1) / 2) for f in factors], mode="mirror"
    )
    resized = zoom(smooth, factors, order=3, mode="mirror", grid_mode=True)
    return np.asarray(resized.clip(slice_image.min(), slice_image.max()).astype(np.uint8))


def region_plan(
    slice_size: Size, size: str, multiple: int = _PATCH, longest: int = _SIDE
) -> ResizePlan:
    """The plan for a region's slice: unchanged, or with its longest side at a number of pixels.

    Beyond the size of the training the position tables have no entries, and attention needs tens of
    gigabytes.

    Args:
        slice_size: (rows, columns).
        size: One of `SIZES` but the published one.
        multiple: The number of pixels to multiples of which the input's sides are padded.
        longest: The longest side that the network was trained on.
    """
    wanted = longest if size == "native" else min(longest, int(size))
    is_kept = size == "native" and max(slice_size) <= longest
    content = slice_size if is_kept else _scaled(slice_size, wanted)
    rows, columns = (-(-side // multiple) * multiple for side in content)
    return ResizePlan(slice_size, content, (rows, columns))


def _scaled(slice_size: Size, longest: int) -> Size:
    """ResizeLongestSide.get_preprocess_shape of segment_anything."""
    scale = longest / max(slice_size)
    rows, columns = (max(1, int(side * scale + 0.5)) for side in slice_size)
    return rows, columns


def resized(values: Tensor, size: Sequence[int]) -> Tensor:
    """Values (n, h, w) at another size (rows, columns), bilinear between pixel centres."""
    from torch.nn.functional import interpolate

    if tuple(values.shape[-2:]) == tuple(size):
        return values
    resized = interpolate(values[:, None], tuple(size), mode="bilinear", align_corners=False)
    return resized[:, 0]
