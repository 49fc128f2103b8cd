"""Results out of the scene logic: a labelmap node, or a NIfTI, NRRD or MetaImage file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData

from ...errors import MaskError
from ...volumes.volume import Volume
from ..nodes.transforms import to_vtk
from .grid import SegmentGrid


def labels_of_segments(
    segmentation_node: Any, grid: SegmentGrid, segment_ids: Mapping[int, str]
) -> Volume:
    """The segments as one volume on their grid: each label where its segment is, 0 elsewhere.

    uint8, uint16 past label 255. Where segments overlap the higher label wins. Raises MaskError
    where there is no segment to export.
    """
    if not segment_ids:
        raise MaskError("There is no object to export yet; place a box or click on one first.")
    largest = max(segment_ids)
    array = np.zeros(grid.geometry.shape_kji, np.uint8 if largest < 256 else np.uint16)
    for label in sorted(segment_ids):
        region = grid.bounds(segmentation_node, segment_ids[label])
        if region is not None:
            array[region.slices][grid.read(segmentation_node, segment_ids[label], region)] = label
    return Volume(array, grid.geometry)


def add_labelmap_node(scene: Any, labels: Volume, name: str) -> Any:
    """A new vtkMRMLLabelMapVolumeNode with a copy of `labels`, where they are in RAS."""
    image = vtkImageData()
    k, j, i = labels.array_kji.shape
    image.SetDimensions(i, j, k)
    image.GetPointData().SetScalars(numpy_to_vtk(labels.array_kji.ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    node.SetIJKToRASMatrix(to_vtk(labels.geometry.ijk_to_ras))
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    return node
