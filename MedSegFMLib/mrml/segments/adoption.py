"""Existing segments that can become objects."""

from __future__ import annotations

from typing import Any

from ...errors import MaskError
from ...volumes.geometry import Geometry
from .grid import SegmentGrid, check_holds_labelmaps
from .masking import is_locked
from .model_voxels import ModelVoxels, tight
from .oriented_images import read_segment, segment_bounds
from .segments import Segments


def adoptable(
    node: Any | None, segment_id: str, segments: Segments, volume: Geometry
) -> tuple[str, ModelVoxels, SegmentGrid]:
    """The name and the voxels of a segment that an object can have, and their grid.

    Args:
        node: The segmentation that objects are put into; None if there is none.
        segment_id: The segment.
        segments: The segments of the objects.
        volume: The volume's grid.

    Raises:
        MaskError: If there is no such segment, or it is empty, locked or a surface.
        GeometryError: If the segmentation is under a non-linear transform.
    """
    segment = None if node is None else node.GetSegmentation().GetSegment(segment_id)
    if node is None or segment is None:
        raise MaskError(
            f"There is no segment '{segment_id}' in the segmentation; choose one of its segments."
        )
    name = str(segment.GetName())
    check_holds_labelmaps(node)
    if is_locked(node, segment_id):
        raise MaskError(f"{name} is locked; untick Lock before you go on with it.")
    grid = segments.grid(volume)
    region = segment_bounds(node, segment_id, grid)
    found = None
    if region is not None:
        found = tight(read_segment(node, segment_id, grid, region), region)
    if found is None:
        raise MaskError(
            f"{name} has no voxels on the grid of {node.GetName()}; choose a segment with voxels."
        )
    return name, ModelVoxels(*found), grid
