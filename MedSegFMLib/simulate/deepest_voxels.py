"""The voxels of a component that are deepest inside.

The depth of a voxel is the length of the shortest offset that leads out of the component. It is
measured for a sample of voxels. The others are discarded if an offset shorter than the greatest
depth of the sample leads out of the component, which one of the first offsets tried usually does.
Depths beyond the longest offset are first bounded. So only a few voxels are measured, while a
distance transform would process the whole grid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..volumes.nearest_points import NearestPoints

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# The longest offset in voxels, and the largest number of tries for which all offsets are tried from
# all remaining voxels.
_LONGEST = 20
_MANY_TRIES = 10_000_000
# The number of voxels in a sample, and of offsets tried to discard others.
_SAMPLE, _DROPPING = 200, 60
# The number of cells looked up at once, which limits memory.
_AT_ONCE = 1_000_000
_ROUNDING = 1e-6


def deepest_voxels(component: Bools) -> Ints:
    """Voxels (n, 3), in array order, that are farthest from the outside of a component.

    Args:
        component: (K, J, I), with at least one voxel. The distance is Euclidean, in voxels, to the
            nearest voxel outside the component; beyond the border of the grid is outside.
    """
    from scipy.ndimage import find_objects

    (box,) = find_objects(component.view(np.uint8))
    # Beyond the border of the grid is outside. With this rim no offset leads out of the array.
    inside = np.pad(component[box], _LONGEST)
    deepest = np.stack(np.unravel_index(_deepest(inside), inside.shape), axis=1)
    deepest += np.array([side.start - _LONGEST for side in box])
    return deepest


def _deepest(inside: Bools) -> Ints:
    """The deepest voxels (n,) as flat indices of the grid, which has a rim of `_LONGEST` voxels."""
    steps, squared_length = _steps()
    offsets = steps @ np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1])
    cells = inside.ravel()
    voxels, shorter = np.flatnonzero(cells), 0
    # Only offsets before index `shorter` may discard a voxel: those shorter than the greatest depth
    # of a sample. The samples get deeper with each round.
    while True:
        # A voxel that no offset leads out of is at least as deep as the longest offset.
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
    """The offsets (n, 3) of up to `_LONGEST` voxels, ascending, and their squared lengths."""
    steps = np.argwhere(np.ones((2 * _LONGEST + 1,) * 3, dtype=bool)) - _LONGEST
    squared = (steps**2).sum(axis=1)
    shortest_first = np.argsort(squared, kind="stable")
    # The first is the zero offset.
    shortest_first = shortest_first[1 : np.count_nonzero(squared <= _LONGEST**2)]
    return steps[shortest_first], squared[shortest_first]


def _sample(voxels: Ints) -> Ints:
    return voxels[:: -(-voxels.size // _SAMPLE)]


def _first_out(voxels: Ints, cells: Bools, offsets: Ints) -> Ints:
    """(n,) index of the first offset that leads out from each voxel; their number if none does."""
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
    """The deepest of some voxels (n,), at any depth."""
    from scipy.ndimage import binary_dilation

    # The nearest outside voxel always has a neighbour inside: the last voxel on the way to it.
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
