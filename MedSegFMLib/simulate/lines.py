"""Simulated RECIST lines: the longest diameter of an object on one slice."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..prompts.types import Line
from ..volumes.geometry import Geometry
from ..volumes.masks import Mask, bounding_box, check_mask
from ..volumes.patient_planes import planes

Floats = NDArray[np.float64]


def longest_diameter(
    reference: Mask, geometry: Geometry, jitter: float = 0.0, seed: int = 0
) -> Line:
    """The longest line across an object on the axial slice of its largest cross-section.

    Of several parts that are connected by edges or corners within a slice, the largest one on any
    slice counts, as a radiologist measures one of several lesions. The line reaches from edge to
    edge of its voxels. It is that of RECIST 1.1 (Eisenhauer et al. 2009), which may leave an object
    that is not convex. On a single voxel it runs across it along its columns.

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        geometry: its grid; the axial slices are those across the axis that is nearest to the
            patient's.
        jitter: the largest error of each end along and across the line, as a fraction of its
            length; 0 for none. Ends stay within the slice.
        seed: for `numpy.random.default_rng`; the same seed gives the same line.

    Raises:
        MaskError: the reference is not a 3D mask, or is empty.
        ValueError: the jitter is negative or not finite.
    """
    check_mask(reference, "reference")
    if not (math.isfinite(jitter) and jitter >= 0):
        raise ValueError(
            f"jitter is {jitter!r}, but it is a fraction of the line's length; give 0 for the "
            "exact line, or a small number such as 0.1."
        )
    inside = reference != 0
    box = bounding_box(inside)
    if box is None:
        raise MaskError(
            f"reference is empty (no voxel of {reference.shape} is set), but a line needs an "
            "object to cross; leave this object out."
        )
    axis = next(plane.axis_kji for plane in planes(geometry) if plane.name == "axial")
    in_plane = [n for n in range(3) if n != axis]
    pixel_mm = np.array(geometry.spacing_kji_mm)[in_plane]
    part, slice_number = _largest_part(np.moveaxis(inside[box], axis, 0))
    corner = np.array([side.start for side in box])
    ends = np.repeat((corner + 0.0)[None], 2, axis=0)
    ends[:, axis] += slice_number
    ends[:, in_plane] += _to_edges(_farthest_pair(part, pixel_mm))
    if jitter:
        ends += _errors(ends[1] - ends[0], axis, geometry, jitter, seed)
    # The outermost faces belong to no voxel.
    ends = np.clip(ends, -0.5, np.array(geometry.shape_kji) - 0.5 - 1e-6)
    start, stop = ends[:, ::-1].tolist()
    return Line.from_ijk(geometry, start, stop)


def _largest_part(slices: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], int]:
    """The largest connected part on any slice (first axis), as a mask of it, and its number."""
    from scipy.ndimage import label

    best, found = 0, (slices[0], 0)
    for n in np.argsort(-slices.sum(axis=(1, 2)), kind="stable").tolist():
        if np.count_nonzero(slices[n]) <= best:
            break
        parts, _ = label(slices[n], structure=np.ones((3, 3)))
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        if sizes.max() > best:
            best, found = int(sizes.max()), (parts == sizes.argmax(), n)
    return found


def _farthest_pair(part: NDArray[np.bool_], pixel_mm: Floats) -> Floats:
    """(2, 2) the two voxels (row, column) of a part with the greatest distance in millimetres."""
    # The first and the last voxel of each row; those between them are nearer to any other.
    rows = np.flatnonzero(part.any(axis=1))
    first = part[rows].argmax(axis=1)
    last = part.shape[1] - 1 - part[rows, ::-1].argmax(axis=1)
    outer = np.column_stack([np.repeat(rows, 2), np.column_stack([first, last]).ravel()])
    placed = outer * pixel_mm
    squared = ((placed[:, None] - placed[None]) ** 2).sum(axis=2)
    one, other = np.unravel_index(int(np.argmax(squared)), squared.shape)
    return np.asarray(outer[[one, other]], dtype=np.float64)


def _to_edges(pair: Floats) -> Floats:
    """Both ends moved from the centres of their voxels to where the line leaves them."""
    direction = pair[1] - pair[0]
    if not direction.any():
        direction = np.array([0.0, 1.0])
    half = direction / np.abs(direction).max() / 2
    return np.asarray(pair + np.array([-half, half]))


def _errors(along: Floats, axis: int, geometry: Geometry, jitter: float, seed: int) -> Floats:
    """(2, 3) the errors of both ends within the slice, for a line along `along`, kji."""
    spacing = np.array(geometry.spacing_kji_mm)
    row, column = (n for n in range(3) if n != axis)
    # At a right angle in millimetres, in voxels.
    across = np.zeros(3)
    across[row] = -along[column] * spacing[column] / spacing[row]
    across[column] = along[row] * spacing[row] / spacing[column]
    errors = np.random.default_rng(seed).uniform(-jitter, jitter, size=(2, 2))
    return np.asarray(errors[:, :1] * along + errors[:, 1:] * across)
