"""Contrast of the border of a region that is a range of supervoxel numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .adjacency import outer_faces, touching_pairs

# The fraction of a region's border that may have less contrast than the result.
_UNCLEAR = 0.3


class Borders:
    """The faces between supervoxels, indexed for look-up by ranges of numbers.

    Args:
        image: (K, J, I) intensities.
        supervoxels: (K, J, I) their numbers, from 0 without gaps.
    """

    def __init__(self, image: NDArray[Any], supervoxels: NDArray[Any]) -> None:
        flat = supervoxels.ravel().astype(np.int64)
        self._means = np.bincount(flat, image.ravel()) / np.bincount(flat)
        self._outer = outer_faces(supervoxels, len(self._means))
        pairs, faces = touching_pairs(supervoxels)
        both = np.concatenate([pairs, pairs[:, ::-1]])
        order = both[:, 0].argsort(kind="stable")
        self._inner, self._other = both[order].T
        self._faces = np.concatenate([faces, faces])[order]
        self._first = np.searchsorted(self._inner, np.arange(len(self._means) + 1))

    def contrast(self, start: int, stop: int, mean: float) -> float:
        """The intensity step that most of the border of a range of supervoxels exceeds.

        The step is the smaller of that between the adjacent supervoxels and that from the region's
        mean; it is 0 on the border of the image.
        """
        among = slice(self._first[start], self._first[stop])
        other = self._other[among]
        out = (other < start) | (other >= stop)
        across = self._means[other[out]]
        steps = np.minimum(
            np.abs(across - self._means[self._inner[among][out]]), np.abs(across - mean)
        )
        faces = self._faces[among][out]
        order = steps.argsort()
        outer = self._outer[start:stop].sum()
        passed = outer + faces[order].cumsum()
        enough = _UNCLEAR * (outer + faces.sum())
        if outer >= enough:
            return 0.0
        return float(steps[order][np.searchsorted(passed, enough)])
