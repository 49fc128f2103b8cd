"""The grid of a stack of images: a line through all positions, and the proof of every image.

Headers round positions, to 0.1 mm in some scanners, so that distances from one slice to the next
vary although the slices are regular; the line with the least squares through all of them is nearly
as exact as if they were not rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import GeometryError
from ...geometry import Geometry
from .images import Image, Vector

# What the place of an image may differ from the grid, in voxels, beside the rounding of its header.
PART_OF_A_VOXEL = 0.02
# Rounding may not hide more than this along i, j and k; a missing slice of three moves one by a
# third of a voxel.
_LARGEST_PART_IJK = (0.5, 0.5, 0.25)
# Half of the last digit, and as much for what rounding does to the line itself.
_ROUNDING = 1.0
# A deviation that is not worth a sentence, and the noise of computing.
_NOTHING_MM = 1e-4
# Distances from this multiple of the usual one mean that a slice is missing.
_GAP, _GAP_TOLERANCE = 1.5, 0.1
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Grid:
    """A stack of images on a grid.

    Attributes:
        images: in the order of slices, along the cross product of their axes.
        geometry: the grid; sheared if the slices are (a tilted gantry).
        deviation_mm: the largest distance of a corner of an image from the grid; 0 if negligible.
    """

    images: Sequence[Image]
    geometry: Geometry
    deviation_mm: float


def fit_grid(images: Sequence[Image], extra: str = "") -> Grid:
    """Fit a grid to images of one shape, spacing and orientation, and prove it.

    Args:
        images: in any order; each states its position, axes and spacing.
        extra: a clause for the end of an error message.

    Raises:
        GeometryError: the images are not a regular stack; the message names the file.
    """
    rows, columns = _axes(images)
    normal = np.cross(rows, columns)
    positions = np.array([image.position_lps for image in images])
    order = np.argsort(positions @ normal, kind="stable")
    ordered, positions = [images[n] for n in order], positions[order]
    _check_gaps(ordered, positions @ normal, extra)
    between_rows, between_columns = np.median([image.spacing_mm for image in images], axis=0)
    in_plane = np.column_stack([rows * between_columns, columns * between_rows])
    rounding = np.max([image.rounding_mm for image in images], axis=0)
    origin, step = _line(ordered, positions, normal, rounding)
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([in_plane, step, origin])
    geometry = Geometry((len(ordered), *ordered[0].shape), _LPS_TO_RAS @ matrix)
    prove(geometry, ordered, extra)
    counts = np.arange(len(ordered))[:, None]
    apart = np.linalg.norm(positions - origin - counts * step, axis=1).max()
    deviation = float(apart) + _spread_mm(ordered)
    return Grid(ordered, geometry, deviation if deviation > _NOTHING_MM else 0.0)


def _spread_mm(images: Sequence[Image]) -> float:
    """The distance by which the far corner moves with axes and spacings that differ by image."""
    rows, columns = images[0].shape
    edges = [
        np.asarray(image.axes_lps)
        * np.array(image.spacing_mm)[::-1, None]
        * [[columns - 1], [rows - 1]]
        for image in images
    ]
    return float(np.linalg.norm(edges - np.mean(edges, axis=0), axis=2).max())


def prove(geometry: Geometry, images: Sequence[Image], extra: str = "") -> None:
    """Check that every corner of every slice is where its own header places it.

    Args:
        geometry: the grid of the slices.
        images: in the order of slices.
        extra: a clause for the end of an error message.

    Raises:
        GeometryError: a corner is off by more than `PART_OF_A_VOXEL`, beside rounding; the message
            names the file that is off most.
    """
    lps_to_ijk = np.linalg.inv(_LPS_TO_RAS @ geometry.ijk_to_ras)
    rows, columns = geometry.shape_kji[1:]
    corners = np.array([(j, i) for j in (0, rows - 1) for i in (0, columns - 1)], dtype=np.float64)
    excess = []
    for k, image in enumerate(images):
        stated_lps = _corners_lps(image, corners)
        stated = stated_lps @ lps_to_ijk[:3, :3].T + lps_to_ijk[:3, 3]
        meant = np.column_stack([corners[:, ::-1], np.full(4, k)])
        rounding = np.abs(lps_to_ijk[:3, :3]) @ (image.rounding_mm * _ROUNDING)
        allowed = np.minimum(PART_OF_A_VOXEL + rounding, _LARGEST_PART_IJK)
        excess.append((np.abs(stated - meant) / allowed).max())
    worst = int(np.argmax(excess))
    if excess[worst] <= 1:
        return
    worst = _odd_one(images, worst)
    meant_lps = geometry.ras_from_ijk(np.column_stack([corners[:, ::-1], np.full(4, worst)]))
    apart = _corners_lps(images[worst], corners) - meant_lps @ _LPS_TO_RAS[:3, :3]
    off = float(np.linalg.norm(apart, axis=1).max())
    raise GeometryError(
        f"The slice {images[worst].full_name} is {off:.3g} mm off the line through the "
        f"{len(images)} slices, where at most {PART_OF_A_VOXEL:g} voxel is allowed{extra}; restore "
        "or export the series again, or leave the file out."
    )


def _axes(images: Sequence[Image]) -> tuple[Vector, Vector]:
    """The nearest orthonormal pair to the mean of the stated axes."""
    mean = np.mean([np.asarray(image.axes_lps) for image in images], axis=0)
    rows, columns = mean / np.linalg.norm(mean, axis=1)[:, None]
    # Their sum and difference are at right angles, and 45 degrees from both.
    both, apart = rows + columns, rows - columns
    both, apart = both / np.linalg.norm(both), apart / np.linalg.norm(apart)
    return (both + apart) / np.sqrt(2), (both - apart) / np.sqrt(2)


def _line(
    images: Sequence[Image], positions: Vector, normal: Vector, rounding_mm: Vector
) -> tuple[Vector, Vector]:
    """Position of slice 0 and the step from one to the next, in LPS millimetres."""
    if len(images) == 1:
        return positions[0], normal * (images[0].step_mm or images[0].thickness_mm or 1.0)
    counts = np.arange(len(images)) - (len(images) - 1) / 2
    centre = positions.mean(axis=0)
    step = counts @ positions / (counts @ counts)
    # Slices above one another, unless the positions say more than their rounding that they are not.
    upright = normal * (step @ normal)
    apart = np.abs(positions - centre - counts[:, None] * upright)
    if (apart <= rounding_mm * _ROUNDING + _NOTHING_MM).all():
        step = upright
    return centre + counts[0] * step, step


def _check_gaps(images: Sequence[Image], heights: Vector, extra: str) -> None:
    if len(images) < 2:
        return
    steps = np.diff(heights)
    usual = float(np.median(steps))
    stated = images[0].step_mm
    if len(images) == 2 and stated:
        # Some write the gap between slices instead of the distance of their centres.
        with_gap = stated + (images[0].thickness_mm or 0.0)
        usual = usual if abs(usual / with_gap - 1) < _GAP_TOLERANCE else stated
    widest = int(np.argmax(steps))
    if usual <= 0 or steps.min() <= 0:
        at = int(np.argmin(steps))
        raise GeometryError(
            f"The slices {images[at].full_name} and {images[at + 1].name} are at one height "
            f"beside each other (several stacks){extra}; a regular stack is needed, so export one "
            "of them alone."
        )
    if steps[widest] >= _GAP * usual:
        raise GeometryError(
            f"The slices {images[widest].full_name} and {images[widest + 1].name} are "
            f"{steps[widest]:.4g} mm apart and others {usual:.4g} mm: a slice is missing (or there "
            f"are several stacks){extra}; restore it or export the series again."
        )


def _corners_lps(image: Image, corners_ji: Vector) -> Vector:
    """(4, 3) the corners of an image by its own header."""
    steps = np.asarray(image.axes_lps)[::-1] * np.array(image.spacing_mm)[:, None]
    return np.asarray(image.position_lps + corners_ji @ steps)


def _odd_one(images: Sequence[Image], worst: int) -> int:
    """The image to blame: the farthest from the line of medians, which one outlier hardly moves."""
    if len(images) < 4:
        return worst
    positions = np.array([image.position_lps for image in images])
    step = np.median(np.diff(positions, axis=0), axis=0)
    starts = positions - np.arange(len(images))[:, None] * step
    off = np.linalg.norm(starts - np.median(starts, axis=0), axis=1)
    return int(np.argmax(off)) if off.max() > _NOTHING_MM else worst
