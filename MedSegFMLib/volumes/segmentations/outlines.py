"""Masks of slices as closed polygons, and polygons as masks.

A polygon follows the middle between the centres of voxels inside and outside, and a voxel is inside
if its centre is, so that both directions together change nothing. No library that is installed
without a model fills by the centres of voxels in time (matplotlib tests each with each edge).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Vertices = NDArray[np.float64]


def outlines(mask_ji: Bools) -> list[Vertices]:
    """The outlines of the parts of a slice.

    Returns:
        For each part an (n, 2) polygon of (i, j), not closed by a copy of its first vertex. A hole
        is joined to the outline around it by a channel without width (keyhole technique, DICOM
        PS3.3, C.8.8.6.3).
    """
    from contourpy import FillType, contour_generator

    padded = np.pad(mask_ji.astype(np.float64), 1)
    generator = contour_generator(z=padded, name="serial", fill_type=FillType.OuterOffset)
    polygons = []
    # Of padded masks every line is closed, so that its last vertex is the first.
    for points, offsets in zip(*generator.filled(0.5, 2.0), strict=True):
        rings = [_without_straight(points[a : b - 1] - 1.0) for a, b in pairwise(offsets)]
        polygons.append(_joined(rings[0], rings[1:]))
    return polygons


def filled(polygon_ij: Vertices, shape_ji: tuple[int, int]) -> Bools:
    """The voxels whose centres a polygon encloses, by the even-odd rule.

    Args:
        polygon_ij: (n, 2) vertices in voxels; closed or not.
        shape_ji: rows and columns.
    """
    rows, columns = shape_ji
    ends = np.roll(polygon_ij, -1, axis=0)
    # The lower end first, so that an edge and its way back cross a row at the same place.
    is_up = (polygon_ij[:, 1] <= ends[:, 1])[:, None]
    low, high = np.where(is_up, polygon_ij, ends), np.where(is_up, ends, polygon_ij)
    first = np.clip(np.ceil(low[:, 1]), 0, rows).astype(np.intp)
    stop = np.clip(np.ceil(high[:, 1]), 0, rows).astype(np.intp)
    counts = np.maximum(stop - first, 0)
    edge = np.repeat(np.arange(len(low)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    part = (row - low[edge, 1]) / (high[edge, 1] - low[edge, 1])
    crossing = low[edge, 0] + part * (high[edge, 0] - low[edge, 0])
    column = np.clip(np.ceil(crossing), 0, columns).astype(np.intp)
    crossings = np.bincount(row * (columns + 1) + column, minlength=rows * (columns + 1))
    is_odd = (crossings.reshape(rows, columns + 1)[:, :-1] & 1).astype(bool)
    result: Bools = np.logical_xor.accumulate(is_odd, axis=1)
    return result


def _without_straight(ring: Vertices) -> Vertices:
    """A ring without the vertices between two edges of one direction; they are exact."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    result: Vertices = ring[turns]
    return result


def _joined(ring: Vertices, holes: list[Vertices]) -> Vertices:
    """A ring with its holes, each joined to it at the nearest vertices."""
    from scipy.spatial import cKDTree

    for hole in holes:
        distances, nearest = cKDTree(ring).query(hole)
        there = int(np.argmin(distances))
        here = int(nearest[there])
        around = np.concatenate([hole[there:], hole[: there + 1]])
        ring = np.concatenate([ring[: here + 1], around, ring[here:]])
    return ring
