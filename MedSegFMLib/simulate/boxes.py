"""Simulated boxes around an object, as drawn by a user or by the CVPR 2025 challenge."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..datasets.challenge_npz import MIDDLES, middle_slice
from ..errors import MaskError
from ..volumes.masks import Mask, bounding_box, check_mask

Voxel = tuple[int, int, int]


def box_around(reference: Mask, jitter: float, seed: int) -> tuple[Voxel, Voxel]:
    """The tight box of an object with every face randomly shifted, as a hasty user would draw it.

    Each of the six faces is shifted independently, by an amount drawn uniformly from -jitter to
    +jitter of the box's extent across it and rounded to whole voxels. The box stays inside the
    grid, overlaps the tight one and is at least one voxel thick.

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        jitter: fraction of the extent, 0 (tight) or more.
        seed: for `numpy.random.default_rng`; the same seed gives the same box.

    Returns:
        Half-open voxel bounds ((k0, j0, i0), (k1, j1, i1)).

    Raises:
        MaskError: the reference is not a 3D mask, or is empty.
        ValueError: the jitter is negative or not finite.
    """
    tight_start, tight_stop = _tight_bounds(reference)
    if not (math.isfinite(jitter) and jitter >= 0):
        raise ValueError(
            f"jitter is {jitter!r}, but it is a fraction of the box side; give 0 for a tight box, "
            "or a small number such as 0.1."
        )
    fraction = np.random.default_rng(seed).uniform(-jitter, jitter, size=(2, 3))
    shift = np.rint(fraction * (tight_stop - tight_start)).astype(np.int64)
    start = np.clip(tight_start + shift[0], 0, tight_stop - 1)
    stop = np.clip(
        tight_stop + shift[1], np.maximum(start, tight_start) + 1, np.array(reference.shape)
    )
    return _voxel(start), _voxel(stop)


def challenge_box(
    reference: Mask,
    jitter_voxels: int,
    seed: int,
    slice_side: int | None = None,
    middle: str = MIDDLES[0],
) -> tuple[Voxel, Voxel]:
    """The box of the CVPR 2025 challenge: exact in K, drawn on one slice in J and I.

    K spans the object. J and I span the object on its middle slice, widened on all four sides by
    one draw from 0 to `jitter_voxels`. The box need not enclose the object if it is larger on other
    slices.

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        jitter_voxels: the largest outward shift of a side, 0 (exact) or more; the challenge draws
            from 0 to 5.
        seed: for `numpy.random.default_rng`; the same seed gives the same box.
        slice_side: the width, in voxels, of the slices that the jitter refers to. Along an axis of
            n voxels the draw is multiplied by n / slice_side and rounded down, as in the
            challenge's get_boxes.py with 256. None: not multiplied.
        middle: the rule for the middle slice, as in `datasets.challenge_npz.middle_slice`.

    Returns:
        Half-open voxel bounds ((k0, j0, i0), (k1, j1, i1)), inside the grid.

    Raises:
        MaskError: the reference is not a 3D mask, or is empty.
        ValueError: the jitter is negative.
    """
    start, stop = _tight_bounds(reference)
    if jitter_voxels < 0:
        raise ValueError(
            f"jitter_voxels is {jitter_voxels}, but it is the largest outward shift of a side; "
            "give 0 for an exact box, or a few voxels."
        )
    k0, k1 = int(start[0]), int(stop[0])
    drawn = k0 + middle_slice(reference[k0:k1], middle)
    plane_start, plane_stop = _tight_bounds(reference[drawn : drawn + 1])
    draw = int(np.random.default_rng(seed).integers(jitter_voxels, endpoint=True))
    sides = reference.shape[1:]
    shift = [draw if slice_side is None else draw * side // slice_side for side in sides]
    start[1:] = np.maximum(plane_start[1:] - shift, 0)
    stop[1:] = np.minimum(plane_stop[1:] + shift, reference.shape[1:])
    return _voxel(start), _voxel(stop)


def _tight_bounds(reference: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    check_mask(reference, "reference")
    box = bounding_box(reference)
    if box is None:
        raise MaskError(
            f"reference is empty (no voxel of {reference.shape} is set), but a box needs an object "
            "to enclose; leave this object out."
        )
    return np.array([side.start for side in box]), np.array([side.stop for side in box])


def _voxel(bound: NDArray[np.int64]) -> Voxel:
    return int(bound[0]), int(bound[1]), int(bound[2])
