"""A mask to start from as logits of cells, which grow with the distance to its border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...volumes.pooling import Floats, pooled
from .box_grid import BoxGrid
from .settings import Settings


def mask_logits(inside_kji: NDArray[np.bool_], grid: BoxGrid, settings: Settings) -> Floats:
    """The logit of each cell: its distance to the mask's border, positive inside.

    Args:
        inside_kji: The mask on the voxels of the crop.
        grid: The cells of the crop.
        settings: The settings of the method.
    """
    from scipy.ndimage import distance_transform_edt

    part = pooled(inside_kji.astype(np.float32), grid.factors, "mean")
    inside = part >= 0.5
    if not inside.any():
        # A mask thinner than a cell still has the cells that it fills most.
        inside = part >= max(float(part.max()), 1e-6)
    if not inside.any() or inside.all():
        return np.full(grid.shape, settings.start_most if inside.all() else -settings.start_most)
    widths = grid.cell_half_boxes
    depth = distance_transform_edt(inside, sampling=widths)
    height = distance_transform_edt(~inside, sampling=widths)
    # The border is half a cell from the centres next to it.
    distance = np.where(inside, depth - widths.min() / 2, widths.min() / 2 - height)
    logits = settings.start_slope * distance / widths.min()
    most = settings.start_most
    return np.asarray(np.clip(logits, -most, most), dtype=np.float32)
