"""Segments of a file beside those of the objects; the next prompt can refine each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from ..errors import MaskError
from ..mrml.logic import SegmentationLogic
from ..mrml.segments.model_voxels import ModelVoxels
from ..volumes.geometry import Geometry
from ..volumes.masks import bounding_box
from ..volumes.region import Region
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume

# More would hold up the session for minutes; it is an image that was taken for segments.
_MOST_SEGMENTS = 256

Named = tuple[str, ModelVoxels]


def segments_on(segmentation: Segmentation, geometry: Geometry) -> list[Named]:
    """The segments of a file, by their names, on the grid of a volume; for any thread.

    Args:
        segmentation: The segments; on another grid, the nearest voxel counts.
        geometry: The grid of the volume.

    Raises:
        MaskError: If none has a voxel in the volume, or there are too many.
    """
    count = len(segmentation.segments)
    if count > _MOST_SEGMENTS:
        raise MaskError(
            f"The file has {count} segments, more than {_MOST_SEGMENTS}; choose a file of segments "
            "or a label map."
        )
    found = []
    is_same_grid = segmentation.geometry.matches(geometry)
    for segment in segmentation.segments:
        mask = segment.on(segmentation.geometry)
        if not is_same_grid:
            moved = Volume(mask.astype(np.uint8), segmentation.geometry).resample(geometry, order=0)
            mask = moved.array_kji.astype(bool)
        box = bounding_box(mask)
        if box is not None:
            region = Region.from_slices(box)
            found.append((segment.name, ModelVoxels(region, mask[region.slices].copy())))
    if not found:
        raise MaskError("No segment of the file has a voxel in the volume; choose another file.")
    return found


async def add_segments(logic: SegmentationLogic, segments: Sequence[Named]) -> None:
    """Add segments to the scene one by one, so that pages are served between two of them.

    Args:
        logic: The scene logic.
        segments: They, on the grid of the chosen volume.

    Raises:
        MaskError: If another volume is chosen meanwhile; those that were added stay.
    """
    node = logic.volume_node
    for number, (name, voxels) in enumerate(segments):
        if logic.volume_node is not node:
            raise MaskError(
                f"Another volume was chosen after {number} of {len(segments)} segments; choose "
                "the one before, and load the file again."
            )
        logic.objects.add_segment(name, voxels)
        await asyncio.sleep(0)
