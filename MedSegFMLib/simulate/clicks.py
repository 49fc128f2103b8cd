"""Simulated corrective clicks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..volumes.masks import Mask, bounding_box, check_masks
from .deepest_voxels import deepest_voxels

# The challenge's evaluation script seeds numpy's legacy generator with this before each click.
_CHALLENGE_SEED = 42


def next_click(
    reference: Mask, prediction: Mask, seed: int | None
) -> tuple[tuple[int, int, int], bool] | None:
    """A click in the middle of the largest error, by the rule of the CVPR 2025 challenge.

    The error is the set of voxels in which the masks differ. The click is placed in its largest
    26-connected component (the first in array order on ties), at a voxel deepest inside, by
    Euclidean distance in voxels; the border of the grid counts as boundary. If several are equally
    deep, the seed decides. The challenge's script decides with numpy's legacy generator, seeded
    again for each click; so does this function without a seed. Of components of equal size the
    script takes the first in the order of its own labelling, which is not always the first in array
    order.

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        prediction: the same shape, bool or integer.
        seed: for `numpy.random.default_rng`; the same seed gives the same click. None: the voxel
            that the challenge's script chooses.

    Returns:
        The voxel (k, j, i), and True for a missed part of the object, False for background in the
        prediction; None if the masks are equal.

    Raises:
        MaskError: an array is not a 3D mask, or the shapes differ.
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
    """The cropped difference of two masks and the crop's first voxel; None if they are equal."""
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
    # Label 0, outside the error, is not counted; argmax returns the first maximum.
    largest: NDArray[np.bool_] = components == np.bincount(components[error]).argmax()
    return largest
