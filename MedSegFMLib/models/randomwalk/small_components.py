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
    the largest one, and every piece of the background but the largest. Pieces with a mark stay.
    """
    from scipy.ndimage import label

    cleaned = logits.copy()
    for sign, fraction in ((1, settings.smallest_component), (-1, 1.0)):
        pieces, count = label(sign * cleaned > 0)
        if count < 2:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        small = sizes < fraction * sizes.max()
        small[[pieces[mark.cell] for mark in marks]] = False
        small[0] = False
        removed = small[pieces]
        cleaned[removed] = -sign * np.minimum(np.abs(cleaned[removed]), _JUST_OVER)
    return cleaned
