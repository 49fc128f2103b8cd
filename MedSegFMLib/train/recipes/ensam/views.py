"""The region of a scene that a sample shows: the drawn box, its margins, and parts of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .settings import Views

Floats = NDArray[np.float64]

# The share of tight boxes; in the others each face is off by up to this part of the box's width.
_TIGHT_BOXES = 0.5
_BOX_JITTER = 0.1
# The margin beyond each face of the box, as a part of its width. In inference it is a quarter.
_MARGINS = (0.15, 0.4)
_SMALLEST_MARGIN_VOXELS = 2
# The margins of the paper, in voxels, drawn for each face.
_LEAST_MARGIN_VOXELS, LARGEST_MARGIN_VOXELS = 1, 64
# Without a box: half the region's width over half the object's. Inference tries several sizes, so
# an object may fill a small part of the region or extend beyond it.
_REACHES = (0.4, 6.0)
_SMALLEST_REACH_VOXELS = 4
# The share of scenes that end within the object along one axis, as scans of few slices do, and the
# part of the object that is left at least.
_CUT_SCENES = 0.3
_LEAST_LEFT = 0.15
_FEWEST_VOXELS_LEFT = 3
# The share of views that show only a part of the region, as windows in inference do, and the part
# of each side that they show.
_CLOSER_VIEWS = 0.25
_CLOSER_WIDTH = 0.6


def seen_region(
    mask: Tensor, boxed: bool, views: Views, host: np.random.Generator
) -> tuple[tuple[Floats, Floats], Floats, Floats]:
    """The box of an object, and the region that is shown around it.

    Args:
        mask: (K, J, I) bool.
        boxed: whether the object has a box, which may have errors.
        views: the kind of regions.
        host: the random generator.

    Returns:
        The box and the region, each as its first voxel and the one after its last.
    """
    box = drawn_box(mask, views, host) if boxed else _bounds(mask)
    first, end = _region(box, boxed, views, host)
    first = np.clip(first, 0, np.array(mask.shape) - 1)
    end = np.clip(end, first + 1, mask.shape)
    if views == "varied" and host.random() < _CLOSER_VIEWS and bool(mask.any()):
        first, end = _closer(first, end, mask, host)
    return box, first, end


def _bounds(mask: Tensor) -> tuple[Floats, Floats]:
    """The first voxel of an object, and the one after its last, along each axis."""
    sides = [mask.amax(dim=[a for a in range(3) if a != axis]) for axis in range(3)]
    indices = [np.flatnonzero(side.cpu().numpy()) for side in sides]
    if any(len(axis) == 0 for axis in indices):
        return np.zeros(3), np.array(mask.shape, dtype=float)
    ends = [(axis[0], axis[-1] + 1) for axis in indices]
    start, stop = np.array(ends, dtype=float).T
    return start, stop


def field_of_view(mask: Tensor, host: np.random.Generator) -> tuple[slice, ...]:
    """The recorded part of a scene (K, J, I): all of it, or a slab within the object `mask`."""
    start, stop = _bounds(mask)
    view = [slice(0, n) for n in mask.shape]
    if host.random() < _CUT_SCENES:
        axis = int(host.integers(3))
        width = stop[axis] - start[axis]
        left = max(np.rint(host.uniform(_LEAST_LEFT, 1) * width), min(_FEWEST_VOXELS_LEFT, width))
        first = int(start[axis] + host.integers(int(width - left) + 1))
        view[axis] = slice(first, first + int(left))
    return tuple(view)


def drawn_box(mask: Tensor, views: Views, host: np.random.Generator) -> tuple[Floats, Floats]:
    """The box of an object: tight, or as a user draws it, with an error on each face."""
    start, stop = _bounds(mask)
    if views == "margins" or host.random() < _TIGHT_BOXES:
        return start, stop
    shift = np.rint(host.uniform(-_BOX_JITTER, _BOX_JITTER, (2, 3)) * (stop - start))
    moved_start = np.clip(start + shift[0], 0, stop - 1)
    return moved_start, np.clip(stop + shift[1], np.maximum(moved_start, start) + 1, mask.shape)


def _region(
    box: tuple[Floats, Floats], boxed: bool, views: Views, host: np.random.Generator
) -> tuple[Floats, Floats]:
    if views == "margins":
        drawn = host.integers(_LEAST_MARGIN_VOXELS, LARGEST_MARGIN_VOXELS, (2, 3), endpoint=True)
        before, after = drawn
        return box[0] - before, box[1] + after
    return _around_box(*box, host) if boxed else _around_click(*box, host)


def _around_box(start: Floats, stop: Floats, host: np.random.Generator) -> tuple[Floats, Floats]:
    margin = np.ceil(host.uniform(*_MARGINS) * (stop - start)).clip(_SMALLEST_MARGIN_VOXELS)
    return start - margin, stop + margin


def _around_click(start: Floats, stop: Floats, host: np.random.Generator) -> tuple[Floats, Floats]:
    middle = host.uniform(start, stop)
    half = max(float((stop - start).max()) / 2, _SMALLEST_REACH_VOXELS)
    reach = half * np.exp(host.uniform(*np.log(_REACHES)))
    return np.floor(middle - reach), np.ceil(middle + reach)


def _closer(
    first: Floats, end: Floats, mask: Tensor, host: np.random.Generator
) -> tuple[Floats, Floats]:
    """A part of a region that shows a part of the object."""
    width = np.ceil(_CLOSER_WIDTH * (end - first))
    inside = mask.nonzero()
    voxel = inside[int(host.integers(len(inside)))].cpu().numpy()
    lowest = np.maximum(first, voxel + 1 - width)
    highest = np.minimum(end - width, voxel)
    start = np.floor(host.uniform(lowest, np.maximum(lowest, highest) + 1))
    start = np.clip(start, first, end - width)
    return start, start + width
