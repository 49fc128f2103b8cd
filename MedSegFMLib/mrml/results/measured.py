"""Measurements of a segment of the scene, as `medsegfm measure` gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...metrics.measurements import measure_segments
from ...volumes.segmentations.segmentation import Segment, Segmentation
from ..nodes.volume_nodes import volume_from_node
from ..segments.reference import ReferenceSegment

# As Slicer names units of PET volumes: UCUM codes such as {SUVbw}g/ml.
_SUV = "suv"


@dataclass(frozen=True)
class MeasuredColumn:
    """A column of the table.

    Attributes:
        key: the field of `metrics.measurements.Measurement`.
        title, description, unit: for the user.
    """

    key: str
    title: str
    description: str
    unit: str


COLUMNS = (
    MeasuredColumn("voxels", "Voxels", "Number of voxels", ""),
    MeasuredColumn("volume_ml", "Volume", "Voxels times their volume", "ml"),
    MeasuredColumn("surface_mm2", "Surface", "Area of the surface (Crofton)", "mm2"),
    MeasuredColumn(
        "axial_diameter_mm", "Axial diameter", "Longest diameter in an axial slice (RECIST)", "mm"
    ),
    MeasuredColumn("diameter_mm", "Diameter", "Longest diameter in 3D", "mm"),
    MeasuredColumn("mean", "Mean", "Mean of the volume's values in the segment", ""),
    MeasuredColumn("sd", "SD", "Standard deviation of these values", ""),
    MeasuredColumn("suv_peak", "SUV peak", "Highest mean in a sphere of 1 ml (PERCIST)", "g/ml"),
)


def measured(
    segmentation_node: Any, segment_id: str, volume_node: Any | None
) -> dict[str, int | float]:
    """The measurements of a segment that it has, by the key of their column.

    Args:
        segmentation_node: The segmentation.
        segment_id: The segment.
        volume_node: The volume whose values are measured; None for none. If its units are SUV, the
            peak is measured too.

    Raises:
        MaskError: If the segment is gone or a surface.
        GeometryError: If it or the volume is under a non-linear transform, or it is beyond the
            volume.
        VolumeError: If the volume has no voxels with one value each.
    """
    own = ReferenceSegment(segmentation_node, segment_id).own()
    if own is None:
        return {"voxels": 0, "volume_ml": 0.0}
    segmentation = Segmentation(own.geometry, (Segment.from_mask(1, segment_id, own.array_kji),))
    volume = None if volume_node is None else volume_from_node(volume_node)
    (found,) = measure_segments(segmentation, volume, volume is not None and _is_suv(volume_node))
    values = {column.key: getattr(found, column.key) for column in COLUMNS}
    return {
        key: int(value) if isinstance(value, int | np.integer) else float(value)
        for key, value in values.items()
        if value is not None
    }


def _is_suv(volume_node: Any) -> bool:
    units = volume_node.GetVoxelValueUnits()
    return units is not None and _SUV in (units.GetCodeValue() or "").casefold()
