"""Intensities as SAM-Med3D's training prepares them (utils/data_loader.py of its repository)."""

from __future__ import annotations

import numpy as np

from ...segmenter import Logits

# In Hounsfield units.
_CT_BOUNDS = (-1000.0, 1000.0)
# In deviations; the squares of larger values, which no image has, may not fit into 32 bits.
_MOST_DEVIATIONS = 1e6


def normalised_cells(cells: Logits, is_ct: bool) -> Logits:
    """Cells with mean 0 and deviation 1 of those above 0; CT is limited to -1000 to 1000 before.

    If no two different cells are above 0, mean and deviation are those of all.
    """
    values = cells.clip(*_CT_BOUNDS) if is_ct else cells
    # The squares of extreme values are too large for 32 bits.
    positive = values[values > 0].astype(np.float64)
    if len(positive) < 2 or positive.min() == positive.max():
        positive = values.astype(np.float64).ravel()
    deviation = positive.std(ddof=1)
    scaled = (values - positive.mean()) / (deviation if deviation > 0 else 1.0)
    return np.asarray(scaled.clip(-_MOST_DEVIATIONS, _MOST_DEVIATIONS), np.float32)
