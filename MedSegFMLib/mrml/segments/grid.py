"""The grid that the segments of a segmentation node stand on, and what they hold there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from ...errors import MaskError
from ...volumes.geometry import Geometry, Matrix
from ...volumes.region import Region, Shape
from ...volumes.volume import Volume
from ..nodes.transforms import local_to_ras
from .oriented_images import Mask, empty_image, image_from_mask, labels_of, vtk_matrix

_LABELMAP = "Binary labelmap"


@dataclass(frozen=True, eq=False)
class SegmentGrid:
    """A segmentation's reference grid.

    geometry: the grid in RAS millimetres, with the segmentation's parent transform.
    ijk_to_local: (4, 4), the same grid in the segmentation's own space.
    first_kji: the index that the segmentation gives to the first voxel.
    """

    geometry: Geometry
    ijk_to_local: Matrix
    first_kji: Shape = (0, 0, 0)

    @classmethod
    def of(cls, segmentation_node: Any, volume: Geometry) -> SegmentGrid:
        """The reference grid of a segmentation; one without is given that of the volume.

        Raises GeometryError where the segmentation stands under a non-linear transform.
        """
        to_ras = local_to_ras(segmentation_node)
        converter = slicer.vtkSegmentationConverter
        key = converter.GetReferenceImageGeometryParameterName()
        segmentation = segmentation_node.GetSegmentation()
        stored = segmentation.GetConversionParameter(key)
        if not stored:
            give_grid(segmentation_node, volume)
            stored = segmentation.GetConversionParameter(key)
        image = slicer.vtkOrientedImageData()
        converter.DeserializeImageGeometry(stored, image, False)
        i0, i1, j0, j1, k0, k1 = image.GetExtent()
        local, first = vtk_matrix(image), (k0, j0, i0)
        shifted = local.copy()
        shifted[:3, 3] += local[:3, :3] @ (i0, j0, k0)
        shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
        return cls(Geometry(shape, to_ras @ shifted), local, first)

    def read(self, segmentation_node: Any, segment_id: str, region: Region) -> Mask:
        """The voxels of `region` that a segment holds, bool; none where it does not exist."""
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        image = segment.GetRepresentation(_LABELMAP) if segment is not None else None
        found = np.zeros(region.shape_kji, dtype=bool)
        if image is None:
            return found
        wanted = region.shifted(self.first_kji)
        labels, start, matrix = labels_of(image)
        if labels.size and not np.allclose(matrix, self.ijk_to_local, atol=1e-4):
            target, aligned = empty_image(wanted, self.ijk_to_local), slicer.vtkOrientedImageData()
            slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
                image, target, aligned, False
            )
            labels, start, matrix = labels_of(aligned)
        if labels.size:
            covered = Region.whole(labels.shape).shifted(start)
            common = covered.intersection(wanted)
            if common is not None:
                here = common.relative_to(wanted).slices
                found[here] = labels[common.relative_to(covered).slices] == segment.GetLabelValue()
        return found

    def bounds(self, segmentation_node: Any, segment_id: str) -> Region | None:
        """The region outside which a segment surely holds nothing; None where it is empty."""
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        image = segment.GetRepresentation(_LABELMAP) if segment is not None else None
        if image is None:
            return None
        labels, start, matrix = labels_of(image)
        if not labels.size:
            return None
        whole = Region.whole(self.geometry.shape_kji)
        if not np.allclose(matrix, self.ijk_to_local, atol=1e-4):
            return whole
        back = [-first for first in self.first_kji]
        return Region.whole(labels.shape).shifted(start).shifted(back).intersection(whole)

    def covers(self, mask: Volume) -> bool:
        """Whether all voxels of a mask, wherever it stands, have their place on this grid."""
        inside = np.argwhere(mask.array_kji)[:, ::-1]
        here = np.rint(self.geometry.ijk_from_ras(mask.geometry.ras_from_ijk(inside)))[:, ::-1]
        return bool(((here >= 0) & (here < self.geometry.shape_kji)).all())

    def image(self, mask_kji: Mask, region: Region) -> Any:
        """A vtkOrientedImageData of a mask on `region`, as the segment editor takes it."""
        return image_from_mask(
            mask_kji, region.shifted(self.first_kji).start_kji, self.ijk_to_local
        )

    def bring(
        self, mask: Volume, offset_kji: Shape, volume: Geometry
    ) -> tuple[Region, Mask] | None:
        """A mask on part of the volume's grid, brought to this grid: the region and its voxels.

        offset_kji: where the mask begins in the volume. The nearest voxel is taken where the grids
        differ. None where no part of the mask is on this grid.
        """
        if volume.matches(self.geometry):
            region = Region.whole(mask.geometry.shape_kji).shifted(offset_kji)
            return region, mask.array_kji.astype(bool, copy=False)
        corners = self.geometry.ijk_from_ras(
            mask.geometry.ras_from_ijk(mask.geometry.corners_ijk(edge=0.5))
        )[:, ::-1]
        low = np.floor(corners.min(axis=0)).astype(int)
        high = np.ceil(corners.max(axis=0)).astype(int) + 1
        whole = Region.whole(self.geometry.shape_kji)
        around = Region(tuple(low.tolist()), tuple(high.tolist())).intersection(whole)
        if around is None:
            return None
        moved = Volume(mask.array_kji.astype(np.uint8), mask.geometry).resample(
            self.geometry.crop(around), order=0
        )
        return around, moved.array_kji.astype(bool)


def give_grid(segmentation_node: Any, geometry: Geometry) -> None:
    """Make a grid, in RAS millimetres, the reference grid of a segmentation."""
    local = np.linalg.inv(local_to_ras(segmentation_node)) @ geometry.ijk_to_ras
    image = empty_image(Region.whole((1, 1, 1)), local)
    k, j, i = geometry.shape_kji
    image.SetExtent(0, i - 1, 0, j - 1, 0, k - 1)
    converter = slicer.vtkSegmentationConverter
    key = converter.GetReferenceImageGeometryParameterName()
    stored = converter.SerializeImageGeometry(image)
    segmentation_node.GetSegmentation().SetConversionParameter(key, stored)


def check_holds_labelmaps(segmentation_node: Any) -> None:
    """Raise MaskError for a segmentation whose segments are surfaces, which no voxels go into."""
    segmentation = segmentation_node.GetSegmentation()
    source = segmentation.GetSourceRepresentationName()
    if segmentation.GetNumberOfSegments() and source != _LABELMAP:
        raise MaskError(
            f"{segmentation_node.GetName()} stores its segments as '{source}'; make "
            f"'{_LABELMAP}' the source in the Segmentations module, or choose another."
        )
