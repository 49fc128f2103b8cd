"""The intersection consistency of the cross-plane paper, as a measure rather than a loss.

"The Cost of Consistency" trains on L = Σ_{i in {coronal, sagittal}} ||M_ax[∩_i] − M_i[∩_ax]||²: the
axial slice through a voxel intersects the coronal and the sagittal one in a line each, and on each
line the two slices' probabilities should be equal. The paper has no coronal–sagittal term; it can
be added here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def intersection_map(
    planes: Mapping[str, Floats], axes_kji: Mapping[str, int], coronal_sagittal: bool = False
) -> Floats:
    """(K, J, I) float32: the paper's sum for the three slices through each voxel; 0 is perfect.

    Args:
        planes: probabilities (K, J, I) by "axial", "coronal" and "sagittal"; a pair with a missing
            plane contributes nothing.
        axes_kji: the array axis perpendicular to each of the three planes, as in
            `patient_planes.Plane`.
        coronal_sagittal: whether to add the coronal–sagittal term.
    """
    shape = next(iter(planes.values())).shape
    total = np.zeros(shape, dtype=np.float32)
    for first, second in combinations(("axial", "coronal", "sagittal"), 2):
        paired = "axial" in (first, second) or coronal_sagittal
        if paired and first in planes and second in planes:
            # The line is in both slices: it runs along the axis perpendicular to neither.
            line = 3 - axes_kji[first] - axes_kji[second]
            gap = planes[first] - planes[second]
            total += np.einsum("...x,...x->...", *[np.moveaxis(gap, line, -1)] * 2)[
                *(np.newaxis if axis == line else slice(None) for axis in range(3))
            ]
    return total


def intersection_of_object(
    planes: Mapping[str, Floats],
    axes_kji: Mapping[str, int],
    mask_kji: NDArray[np.bool_],
    coronal_sagittal: bool = False,
) -> float | None:
    """The mean of `intersection_map` over the voxels of an object.

    None for an empty object, or if there is no pair of planes.
    """
    if len(planes) < 2 or not mask_kji.any():
        return None
    return float(intersection_map(planes, axes_kji, coronal_sagittal)[mask_kji].mean())
