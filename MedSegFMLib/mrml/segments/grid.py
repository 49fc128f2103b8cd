"""The grid that a segmentation's segments share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from ...errors import MaskError
from ...volumes.geometry import Geometry
from ...volumes.region import Shape
from ...volumes.volume import Volume
from ..nodes.transforms import local_to_ras, to_numpy, to_vtk

LABELMAP = "Binary labelmap"
GRID_PARAMETER: str = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()


@dataclass(frozen=True, eq=False)
class SegmentGrid:
    """A segmentation's reference grid.

    Attributes:
        geometry: The grid in RAS millimetres, with the segmentation's parent transform.
        ijk_to_local: vtkMatrix4x4, the same grid in the segmentation's own space.
        first_kji: The index that the segmentation gives to the first voxel.
        reference: A vtkOrientedImageData without voxels that has this matrix.
        is_volume_grid: Whether it is the grid of the volume that is segmented.
    """

    geometry: Geometry
    ijk_to_local: Any
    first_kji: Shape
    reference: Any
    is_volume_grid: bool

    @classmethod
    def of(cls, segmentation_node: Any, volume: Geometry) -> SegmentGrid:
        """The reference grid of a segmentation; one without a grid gets that of the volume.

        Raises:
            GeometryError: If the segmentation is under a non-linear transform.
        """
        to_ras = local_to_ras(segmentation_node)
        segmentation = segmentation_node.GetSegmentation()
        if not segmentation.GetConversionParameter(GRID_PARAMETER):
            give_grid(segmentation_node, volume)
        stored = segmentation.GetConversionParameter(GRID_PARAMETER)
        image = slicer.vtkOrientedImageData()
        slicer.vtkSegmentationConverter.DeserializeImageGeometry(stored, image, False)
        i0, i1, j0, j1, k0, k1 = image.GetExtent()
        matrix = to_vtk(np.eye(4))
        image.GetImageToWorldMatrix(matrix)
        shifted = to_numpy(matrix)
        shifted[:3, 3] += shifted[:3, :3] @ (i0, j0, k0)
        geometry = Geometry((k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1), to_ras @ shifted)
        return cls(geometry, matrix, (k0, j0, i0), image, volume.matches(geometry))


def covers(geometry: Geometry, mask: Volume) -> bool:
    """Whether all voxels of a mask, on any grid, have their place on the grid `geometry`."""
    inside = np.argwhere(mask.array_kji)[:, ::-1]
    here = np.rint(geometry.ijk_from_ras(mask.geometry.ras_from_ijk(inside)))[:, ::-1]
    return bool(((here >= 0) & (here < geometry.shape_kji)).all())


def give_grid(segmentation_node: Any, geometry: Geometry) -> None:
    """Make a grid, in RAS millimetres, the reference grid of a segmentation."""
    local = np.linalg.inv(local_to_ras(segmentation_node)) @ geometry.ijk_to_ras
    image = slicer.vtkOrientedImageData()
    image.SetImageToWorldMatrix(to_vtk(local))
    k, j, i = geometry.shape_kji
    image.SetExtent(0, i - 1, 0, j - 1, 0, k - 1)
    stored = slicer.vtkSegmentationConverter.SerializeImageGeometry(image)
    segmentation_node.GetSegmentation().SetConversionParameter(GRID_PARAMETER, stored)


def check_holds_labelmaps(segmentation_node: Any) -> None:
    """Refuse a segmentation whose segments are surfaces, which cannot hold voxels.

    Raises:
        MaskError: If its segments are not stored as binary labelmaps.
    """
    segmentation = segmentation_node.GetSegmentation()
    source = segmentation.GetSourceRepresentationName()
    if segmentation.GetNumberOfSegments() and source != LABELMAP:
        raise MaskError(
            f"{segmentation_node.GetName()} stores its segments as '{source}'; make "
            f"'{LABELMAP}' the source in the Segmentations module, or choose another."
        )
