"""Small islands and holes, which nobody asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...volumes.pooling import Floats
from .clicks import Mark
from .settings import Settings

_JUST_OVER = 0.1


def without_small_components(logits: Floats, marks: Sequence[Mark], settings: Settings) -> Floats:
    """The logits with small pieces turned over to what surrounds them.

    Of the object, pieces smaller than a part (`smallest_component`) of the largest one; of the
    background, every piece but the largest. Pieces that hold a mark stay.
    """
    from scipy.ndimage import label

    cleaned = logits.copy()
    for sign, part in ((1, settings.smallest_component), (-1, 1.0)):
        pieces, count = label(sign * cleaned > 0)
        if count < 2:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        small = sizes < part * sizes.max()
        small[[pieces[mark.cell] for mark in marks]] = False
        small[0] = False
        turned = small[pieces]
        cleaned[turned] = -sign * np.minimum(np.abs(cleaned[turned]), _JUST_OVER)
    return cleaned
