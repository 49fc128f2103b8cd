"""The voxels of a component that are deepest inside.

How deep a voxel lies is the length of the shortest step that leads out of the component. It is
measured for a few voxels. The others are dropped where a step leads out that is shorter than the
deepest of those: mostly one of the first that are tried does. Of what lies deeper than the steps
that are tried, depths are bounded first. So few voxels are measured, where a distance transform
would look at all of the grid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..volumes.nearest_points import NearestPoints

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Steps of up to so many voxels are tried, and from so many voxels all of them where about so many
# tries are enough.
_LONGEST = 20
_MANY_TRIES = 10_000_000
# So many voxels are measured to begin with, and so many steps tried to drop others.
_SAMPLE, _DROPPING = 200, 60
# So many cells are looked up at once: they are held in memory.
_AT_ONCE = 1_000_000
_ROUNDING = 1e-6


def deepest_voxels(component: Bools) -> Ints:
    """Voxels (n, 3), in array order, that are farthest from the outside of a component (K, J, I).

    By Euclidean distance, in voxels, to the nearest one that is not of the component; the border of
    the grid is outside. The component has a voxel at least.
    """
    from scipy.ndimage import find_objects

    (box,) = find_objects(component.view(np.uint8))
    # The border of the grid is outside. With this rim no step from a voxel leads out of it.
    inside = np.pad(component[box], _LONGEST)
    deepest = np.stack(np.unravel_index(_deepest(inside), inside.shape), axis=1)
    deepest += np.array([side.start - _LONGEST for side in box])
    return deepest


def _deepest(inside: Bools) -> Ints:
    """The deepest voxels (n,), counted through the grid, which has a rim of `_LONGEST` voxels."""
    steps, squared_length = _steps()
    offsets = steps @ np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1])
    cells = inside.ravel()
    voxels, shorter = np.flatnonzero(cells), 0
    # Only the steps before number `shorter` may drop a voxel: those shorter than the depth of the
    # deepest of a sample. With each round the sample is of deeper voxels.
    while True:
        # A voxel that no step leads out of is at least as deep as the longest is long.
        sampled = np.minimum(_first_out(_sample(voxels), cells, offsets), len(offsets) - 1)
        bound = int(np.searchsorted(squared_length, squared_length[sampled.max()]))
        if bound <= shorter:
            break
        shorter = bound
        for offset in offsets[:shorter][:: max(1, shorter // _DROPPING)][::-1]:
            voxels = voxels[cells[voxels + offset]]
    if voxels.size * shorter <= _MANY_TRIES:
        first = _first_out(voxels, cells, offsets)
        if first.max() < len(offsets):
            return _where_most(voxels, squared_length[first])
    return _deepest_far_inside(voxels, inside)


@lru_cache(maxsize=1)
def _steps() -> tuple[Ints, Ints]:
    """The steps (n, 3) of up to `_LONGEST` voxels, the shortest first; their squared lengths."""
    steps = np.argwhere(np.ones((2 * _LONGEST + 1,) * 3, dtype=bool)) - _LONGEST
    squared = (steps**2).sum(axis=1)
    shortest_first = np.argsort(squared, kind="stable")
    # The first is none.
    shortest_first = shortest_first[1 : np.count_nonzero(squared <= _LONGEST**2)]
    return steps[shortest_first], squared[shortest_first]


def _sample(voxels: Ints) -> Ints:
    return voxels[:: -(-voxels.size // _SAMPLE)]


def _first_out(voxels: Ints, cells: Bools, offsets: Ints) -> Ints:
    """(n,) which offset is the first to lead out from each voxel; their number where none does."""
    first = np.full(len(voxels), len(offsets))
    waiting = np.arange(len(voxels))
    tried, at_once = 0, 6
    while waiting.size and tried < len(offsets):
        at_once = max(1, min(at_once, _AT_ONCE // waiting.size))
        out = ~cells[voxels[waiting, None] + offsets[tried : tried + at_once]]
        leaves = out.any(axis=1)
        first[waiting[leaves]] = tried + out[leaves].argmax(axis=1)
        waiting = waiting[~leaves]
        tried += at_once
        at_once *= 2
    return first


def _deepest_far_inside(voxels: Ints, inside: Bools) -> Ints:
    """The deepest of some voxels (n,), however deep they are."""
    from scipy.ndimage import binary_dilation

    # The nearest voxel outside has a neighbour inside: one on the way to it.
    around = NearestPoints(np.argwhere(binary_dilation(inside) & ~inside), np.ones(3))
    points = np.stack(np.unravel_index(voxels, inside.shape), axis=1)
    least, most = around.bounds(points)
    reached = max(least.max(), around.distances(points[[most.argmax()]])[0])
    kept = most >= reached - _ROUNDING
    squared_depth = np.round(around.distances(points[kept]) ** 2).astype(np.int64)
    return _where_most(voxels[kept], squared_depth)


def _where_most(voxels: Ints, depth: Ints) -> Ints:
    most: Ints = voxels[depth == depth.max()]
    return most
