"""Preprocessing of slices for SAM3: grey levels resized to a square, 0 to 255 scaled to -1 to 1."""

from __future__ import annotations

from ..planar.propagation import Rectangle
from ..sam.preprocessing import Size
from ..sam.square_slices import SquarePreprocessor
from .runtime import RelativeBox


def sam3_preprocessor(side: int) -> SquarePreprocessor:
    """The preprocessing for inputs of `side` pixels.

    As in transformers' Sam3ImageProcessor: mean and deviation 0.5 in all three channels.
    """
    return SquarePreprocessor(side, "BILINEAR", 1, (127.5,), (127.5,))


def relative(box: Rectangle, slice_size: Size) -> RelativeBox:
    """A half-open box of pixels as fractions of a slice of (rows, columns) pixels."""
    top, left, bottom, right = box
    rows, columns = slice_size
    across, down = (right - left) / columns, (bottom - top) / rows
    return (left / columns + across / 2, top / rows + down / 2, across, down)
