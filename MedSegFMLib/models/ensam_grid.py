"""The grid on which ENSAM sees a region: pooled until it fits. Needs numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..networks.ensam_config import padded_side
from ..region import Shape, shape_triple

# The most voxels, padding included, that the network is trained on and sees.
LARGEST_GRID = 4_194_304


def pool_factors(shape_kji: Sequence[int], largest: int = LARGEST_GRID) -> Shape:
    """By how much to pool a region so that, padded, it has `largest` voxels or less.

    Factors double on all but the axis that is the shortest at that moment, so that slices are kept
    in a thick-slice scan.
    """
    factors = [1, 1, 1]
    shape = list(shape_kji)
    while prod(map(padded_side, shape)) > largest:
        shortest = int(np.argmin(shape))
        for axis in {0, 1, 2} - {shortest}:
            factors[axis] *= 2
            shape[axis] = -(-shape_kji[axis] // factors[axis])
    return shape_triple(factors)
