"""A segment of the scene as the reference that results are measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ...errors import MaskError
from ...volumes.geometry import Geometry
from ...volumes.grids import brought_to_grid, start_on_grid
from ...volumes.region import Region
from ...volumes.volume import Volume
from ..nodes.transforms import local_to_ras, to_numpy
from .grid import LABELMAP, check_holds_labelmaps
from .model_voxels import ModelVoxels, tight
from .oriented_images import labels_of


@dataclass(frozen=True)
class ReferenceSegment:
    """A reference: a segmentation node and the identifier of its segment."""

    node: Any
    segment_id: str

    @property
    def title(self) -> str:
        """The names of the segment and the segmentation, for the user."""
        segment = self.node.GetSegmentation().GetSegment(self.segment_id)
        name = self.segment_id if segment is None else segment.GetName()
        return f"{name} ({self.node.GetName()})"

    def stamp(self) -> tuple[int, ...]:
        """Numbers that change when the segment is edited or moved; () if it is gone."""
        segment = self.node.GetSegmentation().GetSegment(self.segment_id)
        if segment is None or self.node.GetScene() is None:
            return ()
        image = segment.GetRepresentation(LABELMAP)
        transform = self.node.GetParentTransformNode()
        return (
            0 if image is None else image.GetMTime(),
            segment.GetLabelValue(),
            0 if transform is None else transform.GetTransformToWorldMTime(),
        )

    def read(self, geometry: Geometry) -> tuple[ModelVoxels, bool]:
        """The voxels of the segment on a volume's grid.

        Args:
            geometry: The volume's grid.

        Returns:
            The voxels, and whether they were resampled (nearest voxel).

        Raises:
            MaskError: If the segment is gone, empty, stored as a surface, or outside the volume.
            GeometryError: If it is under a non-linear transform.
        """
        own = self.own()
        if own is None:
            raise MaskError(f"The reference {self.title} has no voxels; choose another.")
        same = start_on_grid(own.geometry, geometry) is not None
        brought = brought_to_grid(own.array_kji, own.geometry, geometry)
        found = None if brought is None else tight(brought[1], brought[0])
        if found is None:
            raise MaskError(
                f"The reference {self.title} lies outside the volume; choose one that was drawn "
                "on it."
            )
        return ModelVoxels(*found), not same

    def own(self) -> Volume | None:
        """The part of its image that has voxels, 1 inside, with its grid; None if it is empty.

        Raises:
            MaskError: If the segment is gone or stored as a surface.
            GeometryError: If it is under a non-linear transform.
        """
        if not self.stamp():
            raise MaskError("The reference segment left the scene; choose another.")
        check_holds_labelmaps(self.node)
        segment = self.node.GetSegmentation().GetSegment(self.segment_id)
        image = segment.GetRepresentation(LABELMAP)
        if image is None:
            return None
        labels, start = labels_of(image)
        if not labels.size:
            return None
        found = tight(labels == segment.GetLabelValue(), Region.whole(labels.shape).shifted(start))
        if found is None:
            return None
        where, mask = found
        matrix = vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        to_ras = local_to_ras(self.node) @ to_numpy(matrix)
        to_ras[:3, 3] += to_ras[:3, :3] @ where.start_kji[::-1]
        return Volume(mask.astype(np.uint8), Geometry(where.shape_kji, to_ras))


def reference_choices(scene: Any) -> list[ReferenceSegment]:
    """The segments that the user can choose, in the order of the scene."""
    found = []
    name = "vtkMRMLSegmentationNode"
    for n in range(scene.GetNumberOfNodesByClass(name)):
        node = scene.GetNthNodeByClass(n, name)
        if not node.GetHideFromEditors():
            ids = node.GetSegmentation().GetSegmentIDs()
            found += [ReferenceSegment(node, segment_id) for segment_id in ids]
    return found
