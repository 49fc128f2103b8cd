"""The segments of all objects as one labelled volume, to be written to a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import MaskError
from ...volumes.volume import Volume
from .grid import SegmentGrid
from .oriented_images import read_segment, segment_bounds


def labels_of_segments(
    segmentation_node: Any, grid: SegmentGrid, segment_ids: Mapping[int, str]
) -> Volume:
    """The segments as one volume on their grid.

    Args:
        segmentation_node: The segmentation.
        grid: Its grid.
        segment_ids: The segment of each label.

    Returns:
        Each label where its segment is, 0 elsewhere; the higher label if segments overlap. uint8,
        or uint16 if a label is above 255.

    Raises:
        MaskError: If there is no segment to export.
    """
    if not segment_ids:
        raise MaskError("There is no object to export yet; place a box or click on one first.")
    largest = max(segment_ids)
    array = np.zeros(grid.geometry.shape_kji, np.uint8 if largest < 256 else np.uint16)
    for label in sorted(segment_ids):
        segment_id = segment_ids[label]
        region = segment_bounds(segmentation_node, segment_id, grid)
        if region is not None:
            mask = read_segment(segmentation_node, segment_id, grid, region)
            array[region.slices][mask] = label
    return Volume(array, grid.geometry)
