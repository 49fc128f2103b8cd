"""Existing segments that can become objects."""

from __future__ import annotations

from ...errors import MaskError
from ...prompts.mask import Mask
from ...volumes.geometry import Geometry
from .grid import check_holds_labelmaps
from .masking import is_locked
from .model_voxels import ModelVoxels, tight
from .oriented_images import read_segment, segment_bounds
from .segments import Segments


def adoptable(
    segments: Segments, segment_id: str, volume: Geometry
) -> tuple[str, ModelVoxels, Mask]:
    """The name and the voxels of a segment that an object can have, and its mask to start from.

    Args:
        segments: The segmentation that objects are put into.
        segment_id: The segment.
        volume: The volume's grid.

    Raises:
        MaskError: If there is no such segment, or it is empty, locked or a surface.
        GeometryError: If the segmentation is under a non-linear transform.
    """
    node = segments.node
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
    voxels = ModelVoxels(*found)
    mask = Mask.from_array(voxels.mask_kji, grid.geometry.crop(voxels.region))
    return name, voxels, mask
