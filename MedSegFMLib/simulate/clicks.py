"""The next click of a user who corrects a segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..volumes.masks import Mask, bounding_box, check_masks
from .deepest_voxels import deepest_voxels

# What the challenge's evaluation script seeds numpy's old generator with before each click.
_CHALLENGE_SEED = 42


def next_click(
    reference: Mask, prediction: Mask, seed: int | None
) -> tuple[tuple[int, int, int], bool] | None:
    """A click in the middle of the largest error, by the rule of the CVPR 2025 challenge.

    The error is where the masks differ. Of its 26-connected components the one with most voxels
    is taken (the first in array order on ties), and in it a voxel deepest inside, by Euclidean
    distance in voxels, the border of the grid counting as boundary. Where several are equally
    deep, the seed chooses. The challenge's script chooses with numpy's old generator, begun anew
    for each click, and so does this without a seed. Of components of one size the script takes the
    first in the order of its own labelling, which is not always the first in array order.

    Args:
        reference: (K, J, I), bool or integer; every voxel that is not 0 belongs to the object.
        prediction: the same shape, bool or integer.
        seed: for `numpy.random.default_rng`; the same seed gives the same click. None: the voxel
            that the challenge's script chooses.

    Returns:
        The voxel (k, j, i), and True for a click on the object that the prediction missed, False
        for one on background that it took; None where the masks are equal.

    Raises:
        MaskError: an array is no 3D mask, or the shapes differ.
    """
    check_masks(reference, prediction)
    error, corner = _cropped_error(reference, prediction)
    if error is None:
        return None
    deepest = deepest_voxels(_largest_component(error))
    if seed is None:
        chosen = deepest[np.random.RandomState(_CHALLENGE_SEED).choice(len(deepest))]
    else:
        chosen = deepest[np.random.default_rng(seed).integers(len(deepest))]
    k, j, i = (int(at + start) for at, start in zip(chosen, corner, strict=True))
    return (k, j, i), bool(reference[k, j, i])


def _cropped_error(
    reference: Mask, prediction: Mask
) -> tuple[NDArray[np.bool_] | None, tuple[int, int, int]]:
    """Where two masks differ, cropped to it, and the crop's first voxel; None where nowhere."""
    boxes = [box for box in map(bounding_box, (reference, prediction)) if box is not None]
    if not boxes:
        return None, (0, 0, 0)
    outer = tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    error: NDArray[np.bool_] = np.logical_xor(reference[outer], prediction[outer])
    inner = bounding_box(error)
    if inner is None:
        return None, (0, 0, 0)
    k, j, i = (out.start + side.start for out, side in zip(outer, inner, strict=True))
    return error[inner], (k, j, i)


def _largest_component(error: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import label

    components, _ = label(error, structure=np.ones((3, 3, 3), dtype=bool))
    # Label 0, outside the error, is not counted; argmax takes the first of equals.
    largest: NDArray[np.bool_] = components == np.bincount(components[error]).argmax()
    return largest
