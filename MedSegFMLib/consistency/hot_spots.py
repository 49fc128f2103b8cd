"""Where an answer is probably wrong, and where the next click would mend most of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ..volumes.masks import bounding_box
from ..volumes.region import Region, Shape, shape_triple

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# A voxel that is wrong with less probability is no part of a hot spot. Up to 0.4, other thresholds,
# ranking by depth and a wider reach of earlier clicks measured no better (Docs/consistency.md).
_LEAST_PROBABILITY = 0.3
# A click so near to an earlier one says little that is new.
_MARK_VOXELS = 2
_MOST_SPOTS = 8
# Beyond this the depth is measured on a coarser grid: the click need not be in the very middle.
_MOST_LOOKED_AT = 200_000


@dataclass(frozen=True)
class HotSpot:
    """A connected part of an answer that is probably wrong.

    region: the smallest one of the volume that holds it.
    voxels: how many it has; gain_voxels: how many of them are expected to be wrong.
    click_kji: where in the volume a click would say most; positive: the sign it probably has.
    """

    region: Region
    voxels: int
    gain_voxels: float
    click_kji: Shape
    positive: bool


def expected_error(planes: Mapping[str, Floats], mask_kji: Mask) -> Floats:
    """(K, J, I) float32: the probability that each voxel of an answer is on the wrong side.

    By the mean of the planes' probabilities (K, J, I); mask_kji is the answer.
    """
    first, *others = planes.values()
    mean: Floats = first.copy()
    for array in others:
        mean += array
    mean /= len(planes)
    np.subtract(1, mean, out=mean, where=mask_kji)
    return mean


def hot_spots(
    error_kji: Floats, mask_kji: Mask, marked_kji: NDArray[np.int64], region: Region
) -> tuple[HotSpot, ...]:
    """The hot spots of an answer, at most eight, by falling gain.

    error_kji: `expected_error` on `region` of the volume. mask_kji: the answer there. marked_kji:
    (n, 3) voxels of the region that the user has marked; no click is suggested beside them. A spot
    is 26-connected, and missed and wrongly taken voxels are apart in it.

    The click is the voxel deepest inside, by Euclidean distance in voxels, a sure error counting up
    to twice: the challenge's simulated user, who knows the errors, clicks at the deepest voxel.
    """
    found: list[HotSpot] = []
    likely = error_kji > _LEAST_PROBABILITY
    for voxel in marked_kji:
        low = np.maximum(voxel - _MARK_VOXELS, 0)
        likely[tuple(map(slice, low, voxel + _MARK_VOXELS + 1))] = False
    box = bounding_box(likely)
    if box is None:
        return ()
    corner = Region.from_slices(box).shifted(region.start_kji)
    for positive in (True, False):
        wanted = likely[box] & (mask_kji[box] != positive)
        found += _spots(error_kji[box], wanted, corner, positive)
    found.sort(key=lambda spot: -spot.gain_voxels)
    return tuple(found[:_MOST_SPOTS])


def _spots(error: Floats, wanted: Mask, region: Region, positive: bool) -> list[HotSpot]:
    from scipy.ndimage import find_objects, label

    components, count = label(wanted, structure=np.ones((3, 3, 3), dtype=bool))
    if not count:
        return []
    sizes = np.bincount(components.ravel(), minlength=count + 1)
    gains = np.bincount(components.ravel(), error.ravel(), minlength=count + 1)
    gains[0] = 0
    boxes = find_objects(components)
    spots = []
    for number in np.argsort(-gains, kind="stable")[: min(count, _MOST_SPOTS)]:
        box = boxes[number - 1]
        deepest = _deepest(components[box] == number, error[box])
        within = Region.from_slices(box).shifted(region.start_kji)
        click = shape_triple(n + start for n, start in zip(deepest, within.start_kji, strict=True))
        spots.append(HotSpot(within, int(sizes[number]), float(gains[number]), click, positive))
    return spots


def _deepest(own: Mask, error: Floats) -> Shape:
    """The voxel of a spot to click at; of a large spot every n-th is looked at."""
    from scipy.ndimage import distance_transform_edt

    step = max(1, ceil((own.size / _MOST_LOOKED_AT) ** (1 / 3)))
    coarse = own[::step, ::step, ::step]
    if not coarse.any():
        step, coarse = 1, own
    depth = distance_transform_edt(np.pad(coarse, 1))[1:-1, 1:-1, 1:-1]
    depth *= 1 + error[::step, ::step, ::step]
    return shape_triple(step * int(n) for n in np.unravel_index(int(depth.argmax()), coarse.shape))
