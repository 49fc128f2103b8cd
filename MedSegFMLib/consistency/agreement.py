"""Agreement of a model's planes: per voxel, per slice, and as one number.

All arrays are (K, J, I) on one region, by the plane's name. With fewer than two planes there is no
disagreement.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def disagreement(planes: Mapping[str, Floats]) -> Floats:
    """(K, J, I) float32: the highest minus the lowest of the planes' probabilities.

    It is 0 if all planes agree, 1 if one is certain of the object and another of background, and 0
    everywhere if there is only one plane.

    Raises:
        ValueError: there are no planes.
    """
    if not planes:
        raise ValueError("There are no planes to compare; give at least one.")
    first, *others = planes.values()
    highest, lowest = first.copy(), first.copy()
    for array in others:
        np.maximum(highest, array, out=highest)
        np.minimum(lowest, array, out=lowest)
    highest -= lowest
    return highest


def agreement(masks: Mapping[str, Mask]) -> float | None:
    """The mean Dice over all pairs of planes' masks: 1 if they are equal, 0 if disjoint.

    Two empty masks are equal. None with fewer than two planes.
    """
    scores = _pairwise([mask.reshape(1, -1) for mask in masks.values()])
    return scores[0] if scores else None


def slice_agreement(masks: Mapping[str, Mask], axis: int) -> tuple[float | None, ...]:
    """The `agreement` of each slice along an array axis; None for slices without any object.

    All are None with fewer than two planes.
    """
    rows = [np.moveaxis(mask, axis, 0) for mask in masks.values()]
    count = rows[0].shape[0] if rows else 0
    scores = _pairwise([mask.reshape(count, -1) for mask in rows])
    if not scores:
        return (None,) * count
    occupied = np.any([mask.any(axis=(1, 2)) for mask in rows], axis=0)
    return tuple(
        score if has_object else None for score, has_object in zip(scores, occupied, strict=True)
    )


def _pairwise(rows: list[Mask]) -> list[float]:
    """The mean Dice over pairs of masks for each row; [] with fewer than two masks."""
    if len(rows) < 2:
        return []
    sizes = [np.count_nonzero(mask, axis=1) for mask in rows]
    pairs = list(combinations(zip(rows, sizes, strict=True), 2))
    scores = np.zeros(len(rows[0]))
    for (p, p_size), (q, q_size) in pairs:
        shared, total = np.count_nonzero(p & q, axis=1), p_size + q_size
        scores += np.where(total == 0, 1.0, 2 * shared / np.maximum(total, 1)) / len(pairs)
    return [float(score) for score in scores]
