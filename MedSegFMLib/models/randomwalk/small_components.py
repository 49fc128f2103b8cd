"""Removal of small islands and holes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...volumes.pooling import Floats
from .clicks import Mark
from .settings import Settings

_JUST_OVER = 0.1


def without_small_components(logits: Floats, marks: Sequence[Mark], settings: Settings) -> Floats:
    """The logits with small pieces assigned to their surroundings.

    Removed are the pieces of the object that are smaller than a fraction (`smallest_component`) of
    the largest one, and the holes that are smaller than a fraction (`smallest_hole`) of it. Pieces
    with a mark stay.
    """
    from scipy.ndimage import label

    cleaned = logits.copy()
    largest = 0
    for sign, fraction in ((1, settings.smallest_component), (-1, settings.smallest_hole)):
        pieces, _ = label(sign * cleaned > 0)
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        if sign > 0:
            largest = sizes.max()
        small = sizes < fraction * largest
        small[sizes.argmax()] = False
        small[[pieces[mark.cell] for mark in marks]] = False
        small[0] = False
        removed = small[pieces]
        cleaned[removed] = -sign * np.minimum(np.abs(cleaned[removed]), _JUST_OVER)
    return cleaned
