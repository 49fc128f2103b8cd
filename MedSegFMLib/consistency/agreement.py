"""How far the planes of a model agree: voxel by voxel, slice by slice, and as one number.

Everything is (K, J, I) on one region, by the plane's name. With fewer than two planes there is
nobody to disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def disagreement(planes: Mapping[str, Floats]) -> Floats:
    """(K, J, I) float32: how far the highest of the planes' probabilities is from the lowest.

    0 where all say the same, 1 where one is sure of the object and another of the background; 0
    throughout where there is one plane. Raises ValueError where there is none.
    """
    if not planes:
        raise ValueError("There are no planes to compare; give one at least.")
    first, *others = planes.values()
    highest, lowest = first.copy(), first.copy()
    for array in others:
        np.maximum(highest, array, out=highest)
        np.minimum(lowest, array, out=lowest)
    highest -= lowest
    return highest


def agreement(masks: Mapping[str, Mask]) -> float | None:
    """The mean Dice over all pairs of planes' masks: 1 where they are the same, 0 where apart.

    Two empty masks are the same. None with fewer than two planes.
    """
    scores = _pairwise([mask.reshape(1, -1) for mask in masks.values()])
    return scores[0] if scores else None


def slice_agreement(masks: Mapping[str, Mask], axis: int) -> tuple[float | None, ...]:
    """`agreement` of each slice along an array axis; None for slices where all masks are empty.

    None throughout with fewer than two planes.
    """
    rows = [np.moveaxis(mask, axis, 0) for mask in masks.values()]
    count = rows[0].shape[0] if rows else 0
    scores = _pairwise([mask.reshape(count, -1) for mask in rows])
    if not scores:
        return (None,) * count
    seen = np.any([mask.any(axis=(1, 2)) for mask in rows], axis=0)
    return tuple(score if there else None for score, there in zip(scores, seen, strict=True))


def _pairwise(rows: list[Mask]) -> list[float]:
    """For each row the mean Dice over pairs of masks; [] with fewer than two."""
    if len(rows) < 2:
        return []
    sizes = [np.count_nonzero(mask, axis=1) for mask in rows]
    pairs = list(combinations(zip(rows, sizes, strict=True), 2))
    scores = np.zeros(len(rows[0]))
    for (p, p_size), (q, q_size) in pairs:
        shared, total = np.count_nonzero(p & q, axis=1), p_size + q_size
        scores += np.where(total == 0, 1.0, 2 * shared / np.maximum(total, 1)) / len(pairs)
    return [float(score) for score in scores]
