"""Measurements of segments: volume, surface, diameters and intensities.

Volume, surface area and intensities are those of SimpleITK's label filters. Diameters are between
centres of voxels: of the voxels on the convex hull (scipy), the longest in 3D, and the longest
within one slice across the patient's axis (RECIST 1.1: the longest diameter in the axial plane).
SUV peak is the highest mean in a sphere of 1 ml whose centre is in the segment (PERCIST).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError
from ..volumes.geometry import Geometry
from ..volumes.right_angles import StraightGrid
from ..volumes.segmentations.segmentation import Segment, Segmentation
from ..volumes.volume import Volume

_PEAK_ML = 1.0


@dataclass(frozen=True)
class Measurement:
    """The measurements of a segment; None for an empty one, and for intensities without voxels.

    Attributes:
        label, name: of the segment.
        voxels: their number.
        volume_ml: their volume.
        surface_mm2: the area of its surface.
        axial_diameter_mm: the longest diameter in one axial slice.
        diameter_mm: the longest diameter in 3D.
        mean, sd: of the image's values.
        suv_peak: see the module; None unless the image is in SUV.
    """

    label: int
    name: str
    voxels: int
    volume_ml: float
    surface_mm2: float | None = None
    axial_diameter_mm: float | None = None
    diameter_mm: float | None = None
    mean: float | None = None
    sd: float | None = None
    suv_peak: float | None = None


def measure_segments(
    segmentation: Segmentation, image: Volume | None = None, suv: bool = False
) -> list[Measurement]:
    """Measure each segment.

    Args:
        segmentation: the segments; their sizes are measured on their own grid.
        image: the image, on any grid. Its values in a segment on another grid are those of its
            voxels whose nearest voxel belongs to the segment.
        suv: whether the image is in SUV, so that its peak is measured.

    Raises:
        GeometryError: no segment touches the image.
    """
    geometry = segmentation.geometry
    rows = [_sizes(segment, geometry) for segment in segmentation.segments]
    if image is None:
        return rows
    on_image = segmentation
    if not image.geometry.matches(geometry):
        grid = image.geometry
        on_image = segmentation.mapped(lambda labels: labels.resample(grid, order=0))
        if any(row.voxels for row in rows) and not _touches(segmentation, grid):
            raise GeometryError(
                "No segment is within the image; measure them on the image that they were made on, "
                "or on one of the same patient and position."
            )
    return [
        _with_values(row, segment, image, suv) if segment.voxels else row
        for row, segment in zip(rows, on_image.segments, strict=True)
    ]


def outside_notes(segmentation: Segmentation, image: Volume) -> list[str]:
    """A sentence on the grid of segments that is not the image's, and one for each beyond it."""
    if image.geometry.matches(segmentation.geometry):
        return []
    notes = [
        "The segments are on another grid than the image: sizes are those on their own, values "
        "those of the nearest voxels."
    ]
    for segment in segmentation.segments:
        outside = segment.voxels - _inside(segment, segmentation.geometry, image.geometry)
        if outside:
            notes.append(
                f"'{segment.name}' has {outside} of {segment.voxels} voxels outside of the image, "
                "which have no values."
            )
    return notes


def _touches(segmentation: Segmentation, grid: Geometry) -> bool:
    """Whether a voxel of a segment is within a grid."""
    return any(_inside(segment, segmentation.geometry, grid) for segment in segmentation.segments)


def _inside(segment: Segment, geometry: Geometry, grid: Geometry) -> int:
    """The number of a segment's voxels whose centres are within a grid."""
    positions_kji = np.argwhere(segment.mask_kji) + segment.region.start_kji
    ijk = grid.ijk_from_ras(geometry.ras_from_ijk(positions_kji[:, ::-1]))
    ends = np.array(grid.shape_kji[::-1]) - 0.5
    return int(((ijk >= -0.5) & (ijk <= ends)).all(axis=1).sum())


def _sizes(segment: Segment, geometry: Geometry) -> Measurement:
    voxels = segment.voxels
    volume_ml = voxels * geometry.voxel_volume_mm3 / 1000
    if not voxels:
        return Measurement(segment.label, segment.name, 0, 0.0)
    positions_kji = np.argwhere(segment.mask_kji) + segment.region.start_kji
    axial, longest = _diameters(positions_kji, geometry)
    surface = _surface(segment, geometry)
    return Measurement(segment.label, segment.name, voxels, volume_ml, surface, axial, longest)


def _with_values(row: Measurement, segment: Segment, image: Volume, suv: bool) -> Measurement:
    """A row with mean, SD and, of SUV, the peak of an image in a segment on its grid."""
    values = image.array_kji[segment.region.slices][segment.mask_kji].astype(np.float64)
    positions_kji = np.argwhere(segment.mask_kji) + segment.region.start_kji
    peak = _peak(positions_kji, image) if suv else None
    return replace(row, mean=float(values.mean()), sd=float(values.std()), suv_peak=peak)


def _surface(segment: Segment, geometry: Geometry) -> float:
    """The area that SimpleITK's label shape filter finds (Crofton's formula)."""
    import SimpleITK as sitk

    part = geometry.crop(segment.region)
    straight = StraightGrid.of(part)
    labels = straight.labels(Volume(segment.mask_kji.astype(np.uint8), part))
    mask = sitk.GetImageFromArray(np.pad(labels.array_kji, 1))
    mask.SetSpacing(straight.geometry.spacing_ijk_mm)
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputePerimeterOn()
    shapes.Execute(mask)
    return float(shapes.GetPerimeter(1))


def _diameters(positions_kji: NDArray[np.intp], geometry: Geometry) -> tuple[float, float]:
    """The longest distance of voxel centres within one axial slice, and in 3D, in mm."""
    points = geometry.ras_from_ijk(positions_kji[:, ::-1])
    # The index axis that runs most along the patient's.
    axis = 2 - int(np.argmax(np.abs(geometry.directions[2])))
    slices = positions_kji[:, axis]
    axial = max(_longest(points[slices == n]) for n in np.unique(slices))
    return axial, _longest(points)


def _longest(points: NDArray[np.float64]) -> float:
    """The largest distance between two points, which are on the convex hull."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    centred = points - points.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[sizes > 1e-6 * max(1.0, float(sizes[0]))].T
    if flat.shape[1] == 0:
        return 0.0
    if flat.shape[1] == 1:
        return float(np.ptp(flat))
    if len(flat) > flat.shape[1] + 1:
        try:
            flat = flat[ConvexHull(flat).vertices]
        except QhullError:
            flat = np.unique(flat, axis=0)
    return float(pdist(flat).max())


def _peak(positions_kji: NDArray[np.intp], image: Volume) -> float:
    """The highest mean in a sphere of 1 ml around a voxel of the segment."""
    from scipy.ndimage import convolve

    radius = (3 * _PEAK_ML * 1000 / (4 * np.pi)) ** (1 / 3)
    steps = image.geometry.ijk_to_ras[:3, :3]
    # How far a sphere reaches along each axis, which may not be at right angles to the others.
    reach = np.floor(radius * np.linalg.norm(np.linalg.inv(steps), axis=1)[::-1]).astype(int)
    low = np.maximum(positions_kji.min(axis=0) - reach, 0)
    high = np.minimum(positions_kji.max(axis=0) + reach + 1, image.array_kji.shape)
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    offsets = np.indices(2 * reach + 1).reshape(3, -1).T - reach
    apart_mm = np.linalg.norm(offsets[:, ::-1] @ steps.T, axis=1)
    sphere = (apart_mm <= radius).reshape(2 * reach + 1)
    means = convolve(
        image.array_kji[part].astype(np.float64), sphere / sphere.sum(), mode="nearest"
    )
    return float(means[tuple((positions_kji - low).T)].max())
