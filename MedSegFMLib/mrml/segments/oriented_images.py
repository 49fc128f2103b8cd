"""Voxels of segments: between numpy masks and Slicer's oriented images, which cover part of a grid.

Slicer keeps a segment as a vtkOrientedImageData whose extent may cover any part of the index space
that a segmentation's images share; several segments may share one image, each with a label value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.util.vtkConstants import VTK_UNSIGNED_CHAR

from ...volumes.region import Region, Shape, on_region
from .grid import LABELMAP, SegmentGrid

Mask = NDArray[np.bool_]
Labels = NDArray[Any]


def image_from_mask(mask_kji: Mask, start_kji: Shape, ijk_to_local: Any) -> Any:
    """An oriented image of a mask.

    Args:
        mask_kji: The voxels, bool, (K, J, I).
        start_kji: The index of the first voxel, where the image's extent begins.
        ijk_to_local: vtkMatrix4x4 of the grid's voxel (0, 0, 0), not of the mask's first voxel.

    Returns:
        A vtkOrientedImageData of uint8, 1 inside.
    """
    image = slicer.vtkOrientedImageData()
    (k, j, i), (depth, height, width) = start_kji, mask_kji.shape
    image.SetExtent(i, i + width - 1, j, j + height - 1, k, k + depth - 1)
    image.SetImageToWorldMatrix(ijk_to_local)
    flat = np.ascontiguousarray(mask_kji, dtype=np.uint8).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True, array_type=VTK_UNSIGNED_CHAR))
    return image


def labels_of(image: Any) -> tuple[Labels, Shape]:
    """The voxels of an oriented image (a view), and the first index of its extent.

    An image without voxels gives an empty array.
    """
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    scalars = image.GetPointData().GetScalars()
    if scalars is None or min(shape) < 1:
        return np.zeros((0, 0, 0), np.uint8), (0, 0, 0)
    return vtk_to_numpy(scalars).reshape(shape), (k0, j0, i0)


def grid_image(mask_kji: Mask, region: Region, grid: SegmentGrid) -> Any:
    """An oriented image of a mask on a region of a grid, as the segment editor takes it."""
    k, j, i = region.start_kji
    first_k, first_j, first_i = grid.first_kji
    start = (k + first_k, j + first_j, i + first_i)
    return image_from_mask(mask_kji, start, grid.ijk_to_local)


def read_segment(
    segmentation_node: Any, segment_id: str, grid: SegmentGrid, region: Region
) -> Mask:
    """The voxels of a segment on a region of the segmentation's grid.

    Returns:
        bool, (K, J, I) of the region; all False if there is no such segment.
    """
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    image = None if segment is None else segment.GetRepresentation(LABELMAP)
    if image is None:
        return np.zeros(region.shape_kji, dtype=bool)
    labels, start = labels_of(image)
    if labels.size and not _is_aligned(image, grid):
        labels, start = labels_of(_resampled(image, region, grid))
    if not labels.size:
        return np.zeros(region.shape_kji, dtype=bool)
    # Only the part that is wanted is compared: other segments may share a large image.
    value, first = segment.GetLabelValue(), grid.first_kji
    low = [max(a + f - s, 0) for a, f, s in zip(region.start_kji, first, start, strict=True)]
    high = [b + f - s for b, f, s in zip(region.stop_kji, first, start, strict=True)]
    part = labels[tuple(slice(a, max(b, a)) for a, b in zip(low, high, strict=True))] == value
    if not part.size:
        return np.zeros(region.shape_kji, dtype=bool)
    corner = [n + s - f for n, s, f in zip(low, start, first, strict=True)]
    return on_region(part, Region.at(corner, part.shape), region)


def segment_bounds(segmentation_node: Any, segment_id: str, grid: SegmentGrid) -> Region | None:
    """A region of the grid that holds all voxels of a segment; None if the segment is empty."""
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    image = None if segment is None else segment.GetRepresentation(LABELMAP)
    if image is None:
        return None
    labels, start = labels_of(image)
    if not labels.size:
        return None
    whole = Region.whole(grid.geometry.shape_kji)
    if not _is_aligned(image, grid):
        return whole
    corner = [s - f for s, f in zip(start, grid.first_kji, strict=True)]
    return Region.at(corner, labels.shape).intersection(whole)


def _is_aligned(image: Any, grid: SegmentGrid) -> bool:
    """Whether an image has the grid's matrix, so that its indices are those of the grid."""
    resample = slicer.vtkOrientedImageDataResample
    return bool(resample.DoGeometriesMatch(image, grid.reference))


def _resampled(image: Any, region: Region, grid: SegmentGrid) -> Any:
    target = grid_image(np.zeros(region.shape_kji, dtype=bool), region, grid)
    aligned = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, target, aligned, False
    )
    return aligned
