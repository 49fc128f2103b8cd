"""The next click of a user who corrects a segmentation."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..masks import Mask, bounding_box, check_masks

# What the challenge's evaluation script seeds numpy's old generator with before each click.
_CHALLENGE_SEED = 42
# Errors are looked through in steps up to so many voxels. Of those that are thicker, so many voxels
# are searched one by one; more are transformed with all of the grid.
_SHORT = 6
_MANY = 20_000


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
    deepest = _deepest_voxels(_largest_component(error))
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


def _deepest_voxels(component: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Voxels (n, 3) of a component, in array order, that are farthest from its outside."""
    from scipy.ndimage import find_objects

    (box,) = find_objects(component.view(np.uint8))
    # The border of the grid is outside, and no short step leads farther than that.
    inside = np.pad(component[box], _SHORT)
    deepest = np.stack(np.unravel_index(_deepest(inside), inside.shape), axis=1)
    deepest += np.array([side.start - _SHORT for side in box])
    return deepest


def _deepest(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The deepest voxels (n,), counted through the grid.

    Short steps are tried, the shortest first, and voxels dropped that one leads out of. Errors are
    mostly thin: few voxels are left then, where a transform looks at all of the grid.
    """
    waiting = np.flatnonzero(inside)
    stride = np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1])
    for steps in _steps_by_length():
        left = waiting
        for offset in steps @ stride:
            left = left[inside.ravel()[left + offset]]
        if left.size == 0:
            # All that got so far are left by steps of one length.
            return waiting
        waiting = left
    if waiting.size > _MANY:
        squared_depth = _squared_depth(inside).ravel()[waiting]
    else:
        squared_depth = _squared_depth_at(waiting, inside)
    deepest: NDArray[np.int64] = waiting[squared_depth == squared_depth.max()]
    return deepest


@lru_cache(maxsize=1)
def _steps_by_length() -> list[NDArray[np.int64]]:
    """The steps (n, 3) of up to `_SHORT` voxels, those of one length together, ascending."""
    steps = np.argwhere(np.ones((2 * _SHORT + 1,) * 3, dtype=bool)) - _SHORT
    squared = (steps**2).sum(axis=1)
    return [steps[squared == n] for n in range(1, _SHORT**2 + 1) if (squared == n).any()]


def _squared_depth_at(voxels: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of some voxels (n,), counted through the grid, from the voxels around the component."""
    from scipy.ndimage import binary_dilation
    from scipy.spatial import cKDTree

    # The nearest voxel outside has a neighbour inside: one on the way to it.
    around = np.argwhere(binary_dilation(inside) & ~inside)
    points = np.stack(np.unravel_index(voxels, inside.shape), axis=1)
    _, nearest = cKDTree(around, balanced_tree=False, compact_nodes=False).query(points)
    squared: NDArray[np.int64] = ((points - around[nearest]) ** 2).sum(axis=1)
    return squared


def _squared_depth(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    from scipy.ndimage import distance_transform_edt

    # Steps to the nearest voxel outside, not distances: less memory, and whole numbers tie exactly.
    step = distance_transform_edt(inside, return_distances=False, return_indices=True)
    for along_axis, own in zip(step, np.ogrid[tuple(map(slice, inside.shape))], strict=True):
        along_axis -= own
    squared: NDArray[np.int64] = np.einsum("akji,akji->kji", step, step)
    return squared
