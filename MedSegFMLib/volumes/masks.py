"""Masks on a voxel grid: validity checks and bounding boxes. Needs numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError

Mask = NDArray[Any]
"""A 3D array (K, J, I) of bool or any integer type; every non-zero voxel belongs to the mask."""


def check_mask(mask: Mask, name: str) -> None:
    """Check that an array is a mask.

    Args:
        mask: the array to check, (K, J, I), bool or integer.
        name: the name of the array in the error message.

    Raises:
        MaskError: it is not a numpy array, not 3D, or neither bool nor integer.
    """
    if not isinstance(mask, np.ndarray):
        raise MaskError(
            f"{name} is a {type(mask).__name__}, but a mask is a 3D numpy array of bool or "
            "integers; convert it first."
        )
    if mask.dtype.kind not in "bui":
        raise MaskError(
            f"{name} has dtype {mask.dtype}, but a mask is bool or integer; threshold "
            f"probabilities first, as in {name} > 0.5."
        )
    if mask.ndim != 3:
        raise MaskError(
            f"{name} has shape {mask.shape}, but a mask has three axes (K, J, I); pass one volume, "
            "without batch or channel axes."
        )


def check_masks(reference: Mask, prediction: Mask) -> None:
    """Check that two arrays are masks on the same grid.

    Args:
        reference: (K, J, I), bool or integer.
        prediction: the same shape, bool or integer.

    Raises:
        MaskError: one of them is not a mask, or the shapes differ.
    """
    check_mask(reference, "reference")
    check_mask(prediction, "prediction")
    if reference.shape != prediction.shape:
        raise MaskError(
            f"reference has shape {reference.shape} and prediction {prediction.shape}, but they "
            "must be on the same grid; resample the prediction to the reference first."
        )


def bounding_box(mask: Mask) -> tuple[slice, slice, slice] | None:
    """The smallest block of the grid that contains every voxel of a mask.

    The block shrinks one axis at a time, so that only lines are held in memory besides the mask.

    Args:
        mask: (K, J, I), bool or integer.

    Returns:
        Half-open slices along K, J and I, or None if the mask is empty.
    """
    box = [slice(0, size) for size in mask.shape]
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if occupied.size == 0:
            return None
        box[axis] = slice(int(occupied[0]), int(occupied[-1]) + 1)
    return box[0], box[1], box[2]
