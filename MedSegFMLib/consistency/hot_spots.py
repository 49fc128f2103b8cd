"""The parts of a prediction that are probably wrong, and the clicks that would correct them."""

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

# A hot spot consists of voxels with a higher probability of error. Other thresholds up to 0.4,
# ranking by depth and a larger distance from earlier clicks gave no better results
# (Docs/consistency.md).
_LEAST_PROBABILITY = 0.3
# A click this near to an earlier one adds little information.
_MARK_VOXELS = 2
_MOST_SPOTS = 8
# Above this size the depth is measured on a coarser grid: the click need not be exactly central.
_MOST_DEPTH_VOXELS = 200_000


@dataclass(frozen=True)
class HotSpot:
    """A connected part of a prediction that is probably wrong.

    Attributes:
        region: its bounding box in the volume.
        voxels: the number of its voxels.
        gain_voxels: the expected number of wrong voxels among them.
        click_kji: the voxel of the volume for a corrective click.
        positive: the probable sign of that click.
    """

    region: Region
    voxels: int
    gain_voxels: float
    click_kji: Shape
    positive: bool


def expected_error(planes: Mapping[str, Floats], mask_kji: Mask) -> Floats:
    """(K, J, I) float32: the probability that each voxel of a prediction is wrong.

    It is computed from the mean of the planes' probabilities.

    Args:
        planes: probabilities (K, J, I) by plane.
        mask_kji: the predicted mask.
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
    """The hot spots of a prediction, at most eight, by descending gain.

    A spot is 26-connected, and missed and wrongly included voxels form separate spots. The click is
    the voxel deepest inside, by Euclidean distance in voxels, weighted up to twofold by the
    probability of error: the challenge's simulated user, who has the reference, clicks at the
    deepest voxel of the error.

    Args:
        error_kji: the `expected_error` on `region`.
        mask_kji: the predicted mask there.
        marked_kji: (n, 3) voxels of the region that the user has marked; no click is suggested
            beside them.
        region: the region in the volume.
    """
    spots: list[HotSpot] = []
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
        spots += _spots(error_kji[box], wanted, corner, positive)
    spots.sort(key=lambda spot: -spot.gain_voxels)
    return tuple(spots[:_MOST_SPOTS])


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
        deepest = deepest_voxel(components[box] == number, error[box])
        within = Region.from_slices(box).shifted(region.start_kji)
        click = shape_triple(n + start for n, start in zip(deepest, within.start_kji, strict=True))
        spots.append(HotSpot(within, int(sizes[number]), float(gains[number]), click, positive))
    return spots


def deepest_voxel(spot: Mask, error: Floats) -> Shape:
    """The voxel (k, j, i) of a spot to click at; a large spot is subsampled.

    Args:
        spot: the voxels of the spot.
        error: the probability in each, which weighs its depth up to twofold.
    """
    from scipy.ndimage import distance_transform_edt

    step = max(1, ceil((spot.size / _MOST_DEPTH_VOXELS) ** (1 / 3)))
    coarse = spot[::step, ::step, ::step]
    if not coarse.any():
        step, coarse = 1, spot
    depth = distance_transform_edt(np.pad(coarse, 1))[1:-1, 1:-1, 1:-1]
    depth *= 1 + error[::step, ::step, ::step]
    return shape_triple(step * int(n) for n in np.unravel_index(int(depth.argmax()), coarse.shape))
