"""Slices as SAM and MedSAM take them, and what they answer as logits of the slice.

At "1024" as published: SAM after segment_anything's SamPredictor, MedSAM after MedSAM_Inference.py.
Else the network sees the region alone, with zeros at the right and lower side up to a multiple of
16: at "native" as its pixels are, but no side longer than 1024; at "224" and "448" with its longest
side brought to so many. Those are whole windows of 14 patches: SAM fills its windows with zeros, so
that a much smaller image still costs half as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ..planar.grey_levels import GreyLevels
from ..planar.propagation import PicturePrompt
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
class Fit:
    """Where a slice lies in the network's input: at its upper left, `content` pixels of it.

    All are (rows, columns).
    """

    picture: Size
    content: Size
    input: Size

    def prompt(self, asked: PicturePrompt) -> SlicePrompt:
        """A slice's prompt in the input's pixels; a box reaches to its last pixel's place."""
        down, across = (c / p for c, p in zip(self.content, self.picture, strict=True))
        box = None
        if asked.box is not None:
            top, left, bottom, right = asked.box
            box = (left * across, top * down, (right - 1) * across, (bottom - 1) * down)
        points = tuple((column * across, row * down, yes) for row, column, yes in asked.points)
        return SlicePrompt(box, points)


class Pictures(Protocol):
    """How a network takes slices and answers."""

    @property
    def size(self) -> str:
        """One of `SIZES`."""

    def fit(self, picture: Size) -> Fit:
        """Where a slice of so many rows and columns lies in the input."""

    def images(self, pictures: GreyLevels, fit: Fit) -> NDArray[np.float32]:
        """(n, 3, H, W): slices (n, rows, columns) as the network takes them."""

    def on_picture(self, low: Tensor, fit: Fit) -> Tensor:
        """(n, rows, columns) logits: what the network answered, (n, H/4, W/4), on the slices."""


def picture_logits(pictures: Pictures, low: Logits, fit: Fit) -> Logits:
    """(rows, columns) float32: what a network answered, (H/4, W/4), on the slice."""
    import torch

    there = pictures.on_picture(torch.from_numpy(np.ascontiguousarray(low, np.float32))[None], fit)
    return np.ascontiguousarray(there[0].numpy())


class SamPictures:
    """Longest side to 1024, bilinear; mean and deviation of SAM's training; logits bilinear."""

    def __init__(self, size: str) -> None:
        self.size = size

    def fit(self, picture: Size) -> Fit:
        """See `Pictures.fit`."""
        if self.size != PUBLISHED_SIZE:
            return _of_region(picture, self.size)
        return Fit(picture, _scaled(picture, _SIDE), (_SIDE, _SIDE))

    def images(self, pictures: GreyLevels, fit: Fit) -> NDArray[np.float32]:
        """See `Pictures.images`."""
        from PIL import Image

        images = np.zeros((len(pictures), 3, *fit.input), np.float32)
        rows, columns = fit.content
        for image, picture in zip(images, pictures, strict=True):
            if fit.content != fit.picture:
                resized = Image.fromarray(picture).resize(
                    (columns, rows), Image.Resampling.BILINEAR
                )
                picture = np.asarray(resized)
            image[:, :rows, :columns] = (picture - _MEAN[:, None, None]) / _STD[:, None, None]
        return images

    def on_picture(self, low: Tensor, fit: Fit) -> Tensor:
        """See `Pictures.on_picture`; Sam.postprocess_masks of segment_anything."""
        whole = _resized(low, fit.input)[:, : fit.content[0], : fit.content[1]]
        return _resized(whole, fit.picture)


class MedsamPictures:
    """Both sides to 1024, bicubic; least and greatest level to 0 and 1; probabilities bilinear."""

    def __init__(self, size: str) -> None:
        self.size = size

    def fit(self, picture: Size) -> Fit:
        """See `Pictures.fit`."""
        if self.size != PUBLISHED_SIZE:
            return _of_region(picture, self.size)
        return Fit(picture, (_SIDE, _SIDE), (_SIDE, _SIDE))

    def images(self, pictures: GreyLevels, fit: Fit) -> NDArray[np.float32]:
        """See `Pictures.images`."""
        images = np.zeros((len(pictures), 3, *fit.input), np.float32)
        rows, columns = fit.content
        for image, picture in zip(images, pictures, strict=True):
            if fit.content != fit.picture:
                picture = bicubic(picture, fit.content)
            levels = picture.astype(np.float32)
            levels -= levels.min()
            image[:, :rows, :columns] = levels / max(float(levels.max()), 1e-8)
        return images

    def on_picture(self, low: Tensor, fit: Fit) -> Tensor:
        """See `Pictures.on_picture`; above 0 where the interpolated probability is above a half."""
        likely = low.sigmoid()
        if fit.content != fit.input:
            likely = _resized(likely, fit.input)[:, : fit.content[0], : fit.content[1]]
        likely = _resized(likely, fit.picture)
        return likely.clamp(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY).logit()


# By the model whose way it is.
PICTURES: dict[str, Callable[[str], Pictures]] = {"sam": SamPictures, "medsam": MedsamPictures}


def bicubic(picture: GreyLevels, size: Size) -> GreyLevels:
    """A slice (rows, columns) at another size, by cubic splines.

    What scikit-image's resize(order=3, anti_aliasing=True, preserve_range=True) does: where it
    gets smaller by a factor f it is smoothed first, with a Gaussian of deviation (f - 1) / 2.
    Overshoots are cut off at the slice's own range and fractions dropped.
    """
    from scipy.ndimage import gaussian_filter, zoom

    factors = [new / old for new, old in zip(size, picture.shape, strict=True)]
    smooth = gaussian_filter(
        picture.astype(np.float64), [max(0.0, (1 / f - 1) / 2) for f in factors], mode="mirror"
    )
    resized = zoom(smooth, factors, order=3, mode="mirror", grid_mode=True)
    return np.asarray(resized.clip(picture.min(), picture.max()).astype(np.uint8))


def _of_region(picture: Size, size: str) -> Fit:
    """A region's slice as it is, or with its longest side brought to a number of pixels.

    Beyond 1024 the tables of positions say nothing, and attention takes tens of gigabytes.
    """
    if size != "native":
        content = _scaled(picture, int(size))
    else:
        content = picture if max(picture) <= _SIDE else _scaled(picture, _SIDE)
    rows, columns = (-(-side // _PATCH) * _PATCH for side in content)
    return Fit(picture, content, (rows, columns))


def _scaled(picture: Size, longest: int) -> Size:
    """ResizeLongestSide.get_preprocess_shape of segment_anything."""
    scale = longest / max(picture)
    rows, columns = (max(1, int(side * scale + 0.5)) for side in picture)
    return rows, columns


def _resized(values: Tensor, size: Sequence[int]) -> Tensor:
    from torch.nn.functional import interpolate

    if tuple(values.shape[-2:]) == tuple(size):
        return values
    resized = interpolate(values[:, None], tuple(size), mode="bilinear", align_corners=False)
    return resized[:, 0]
