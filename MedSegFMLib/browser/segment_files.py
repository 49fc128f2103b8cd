"""Segments of a file beside those of the objects; the next prompt can refine each of them."""

from __future__ import annotations

import numpy as np

from ..errors import MaskError
from ..mrml.logic import SegmentationLogic
from ..mrml.segments.model_voxels import ModelVoxels
from ..volumes.masks import bounding_box
from ..volumes.region import Region
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume

# More would hold up the session for minutes; it is an image that was taken for segments.
_MOST_SEGMENTS = 256


def add_segments(logic: SegmentationLogic, segmentation: Segmentation) -> int:
    """Add the segments of a file to the scene, on the grid of the chosen volume.

    Args:
        logic: The scene logic.
        segmentation: The segments; on another grid, the nearest voxel counts.

    Returns:
        The number of segments that were added.

    Raises:
        MaskError: If none has a voxel in the volume, or there are too many.
        VolumeError: If no volume is chosen.
    """
    geometry = logic.require_volume().geometry
    found = len(segmentation.segments)
    if found > _MOST_SEGMENTS:
        raise MaskError(
            f"The file has {found} segments, more than {_MOST_SEGMENTS}; choose a file of segments "
            "or a label map."
        )
    count = 0
    for segment in segmentation.segments:
        mask = segment.on(segmentation.geometry)
        if not segmentation.geometry.matches(geometry):
            moved = Volume(mask.astype(np.uint8), segmentation.geometry).resample(geometry, order=0)
            mask = moved.array_kji.astype(bool)
        box = bounding_box(mask)
        if box is None:
            continue
        region = Region.from_slices(box)
        logic.objects.add_segment(segment.name, ModelVoxels(region, mask[region.slices].copy()))
        count += 1
    if not count:
        raise MaskError("No segment of the file has a voxel in the volume; choose another file.")
    return count
