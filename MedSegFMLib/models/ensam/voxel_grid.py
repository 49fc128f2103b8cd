"""The grid of a network that processes a region's own voxels, as the ENSAM paper does.

A region of more voxels than a GPU of 32 GB can train on is pooled: by two along all axes but the
shortest, again and again until it fits. Needs numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from ...volumes.pooling import pooled
from ...volumes.region import Shape, shape_triple
from ...volumes.resampling import resampled

MOST_VOXELS = 4_194_304
"""The voxels of a region beyond which it is pooled."""


def pooling_factors(shape_kji: Sequence[int]) -> Shape:
    """The voxels of a region in one voxel of the network, along k, j and i."""
    factors = [1, 1, 1]
    shortest = int(np.argmin(shape_kji))
    while math.prod(-(-n // f) for n, f in zip(shape_kji, factors, strict=True)) > MOST_VOXELS:
        factors = [f if axis == shortest else 2 * f for axis, f in enumerate(factors)]
    return shape_triple(factors)


def pooled_positions(positions_kji: NDArray[np.float64], factors: Shape) -> NDArray[np.float32]:
    """Positions (n, 3) in voxels of a region as positions on the pooled grid."""
    pooled_kji: NDArray[np.float32] = ((positions_kji + 0.5) / factors - 0.5).astype(np.float32)
    return pooled_kji


def pooled_image(image: NDArray[np.generic], factors: Shape) -> Logits:
    """The largest intensity of each block, (K, J, I) float32."""
    return pooled(image, factors, "max")


def pooled_logits(logits: Logits, factors: Shape) -> Logits:
    """The mean logit of each block, (K, J, I) float32."""
    return pooled(logits, factors, "mean")


def unpooled_logits(logits: Logits, factors: Shape, shape_kji: Shape) -> Logits:
    """Logits (K, J, I) of the pooled grid, interpolated to the region's voxels."""
    if max(factors) == 1:
        return logits
    whole = shape_triple(n * f for n, f in zip(logits.shape, factors, strict=True))
    # The last block of an axis may reach beyond the region.
    inside = tuple(slice(0, n) for n in shape_kji)
    return np.ascontiguousarray(resampled(logits, whole)[inside])
