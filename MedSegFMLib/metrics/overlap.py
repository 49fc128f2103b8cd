"""Volume overlap."""

from __future__ import annotations

import numpy as np

from ..volumes.masks import Mask, check_masks


def dice(reference: Mask, prediction: Mask) -> float:
    """Dice similarity coefficient, 2 |A ∩ B| / (|A| + |B|).

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        prediction: the same shape, bool or integer.

    Returns:
        0 (disjoint) to 1 (equal); 1 if both masks are empty, 0 if one is.

    Raises:
        MaskError: an array is not a 3D mask, or the shapes differ.
    """
    check_masks(reference, prediction)
    total = int(np.count_nonzero(reference)) + int(np.count_nonzero(prediction))
    if total == 0:
        return 1.0
    shared = int(np.count_nonzero(np.logical_and(reference, prediction)))
    return 2.0 * shared / total
