"""A segment of the scene as the reference that others are measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MaskError
from ..geometry import Geometry
from ..volume import Volume
from .holding import Holding, tight
from .segment_grid import SegmentGrid, check_holds_labelmaps

_LABELMAP = "Binary labelmap"


@dataclass(frozen=True)
class ReferenceSegment:
    """Where a reference is: a segmentation node and the identifier of its segment."""

    node: Any
    segment_id: str

    @property
    def title(self) -> str:
        """What the user calls it."""
        segment = self.node.GetSegmentation().GetSegment(self.segment_id)
        name = self.segment_id if segment is None else segment.GetName()
        return f"{name} ({self.node.GetName()})"

    def stamp(self) -> tuple[int, ...]:
        """Numbers that change when somebody edits it or moves it; () where it is gone."""
        segment = self.node.GetSegmentation().GetSegment(self.segment_id)
        if segment is None or self.node.GetScene() is None:
            return ()
        image = segment.GetRepresentation(_LABELMAP)
        transform = self.node.GetParentTransformNode()
        return (
            0 if image is None else image.GetMTime(),
            segment.GetLabelValue(),
            0 if transform is None else transform.GetMTime(),
        )

    def read(self, geometry: Geometry) -> tuple[Holding, bool]:
        """Its voxels on a volume's grid, and whether they were resampled to it (nearest voxel).

        Raises MaskError where it is gone, has no voxels, is stored as a surface or lies outside
        the volume, GeometryError under a bent transform.
        """
        if not self.stamp():
            raise MaskError("The reference segment left the scene; choose another.")
        check_holds_labelmaps(self.node)
        grid = SegmentGrid.of(self.node, geometry)
        region = grid.bounds(self.node, self.segment_id)
        found = None if region is None else tight(self._mask(grid, region), region)
        if found is None:
            raise MaskError(f"The reference {self.title} has no voxels; choose another.")
        where, mask = found
        same = geometry.matches(grid.geometry)
        if not same:
            part = Volume(mask.astype(np.uint8), grid.geometry.crop(where))
            here = SegmentGrid(geometry, np.eye(4))
            brought = here.bring(part, where.start_kji, grid.geometry)
            found = None if brought is None else tight(brought[1], brought[0])
            if found is None:
                raise MaskError(
                    f"The reference {self.title} lies outside the volume; choose one that was "
                    "drawn on it."
                )
            where, mask = found
        return Holding(where, mask), not same

    def _mask(self, grid: SegmentGrid, region: Any) -> Any:
        return grid.read(self.node, self.segment_id, region)


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
