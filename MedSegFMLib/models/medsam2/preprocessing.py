"""Preprocessing of slices for MedSAM2: grey levels resized to a square.

As in medsam2_infer_3D_CT.py of its repository: cubic resizing by Pillow, then the mean and
deviation of ImageNet.
"""

from __future__ import annotations

from ..sam.square_slices import SquarePreprocessor

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


def sam2_preprocessor(side: int) -> SquarePreprocessor:
    """The preprocessing for inputs of `side` pixels."""
    return SquarePreprocessor(side, "BICUBIC", 255, _MEAN, _DEVIATION)
