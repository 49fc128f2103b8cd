"""Grids with axes at right angles, for those that are nearly or not at all so.

A header that rounds its matrix makes axes that are nearly at right angles; the nearest orthonormal
axes are meant. A tilted gantry makes a sheared grid; models work on a regular one around it, and
their masks are brought back to the volume's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Geometry
from .region import Region, shape_triple
from .volume import Volume

# A grid whose corners move by no more is the one that its header rounds.
LARGEST_MOVE_VOXELS = 0.1
# Voxels beyond a corner that rounding of floating point numbers may suggest.
_NO_VOXEL = 1e-6


@dataclass(frozen=True)
class Straightened:
    """A grid with axes at right angles.

    Attributes:
        geometry: the grid.
        moved_mm: the distance of its farthest corner from that of the original.
        moved_voxels: the same in voxels, at most along one axis.
    """

    geometry: Geometry
    moved_mm: float
    moved_voxels: float


def nearest_right_angled(geometry: Geometry) -> Straightened:
    """The grid with the nearest orthonormal axes (polar decomposition) and the same centre."""
    u, _, vt = np.linalg.svd(geometry.directions)
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, :3] = u @ vt * np.array(geometry.spacing_ijk_mm)
    centre = (np.array(geometry.shape_kji[::-1]) - 1) / 2
    matrix[:3, 3] += geometry.ras_from_ijk(centre) - (matrix[:3, :3] @ centre + matrix[:3, 3])
    straight = Geometry(geometry.shape_kji, matrix)
    corners = geometry.corners_ijk()
    gaps_mm = straight.ras_from_ijk(corners) - geometry.ras_from_ijk(corners)
    gaps_voxels = straight.ijk_from_ras(geometry.ras_from_ijk(corners)) - corners
    return Straightened(
        straight,
        float(np.linalg.norm(gaps_mm, axis=1).max()),
        float(np.abs(gaps_voxels).max()),
    )


def regular_grid(geometry: Geometry) -> Geometry:
    """A grid with axes at right angles around all voxels of a sheared one, up to their faces.

    Its first two axes span the planes of the volume's slices and its third is normal to them, so
    that slices stay slices; each has the spacing of the volume's slices in its own direction.
    """
    steps = geometry.ijk_to_ras[:3, :3]
    # Gram-Schmidt keeps each axis on the side of the volume's own.
    i_axis = steps[:, 0] / np.linalg.norm(steps[:, 0])
    j_axis = steps[:, 1] - i_axis * (i_axis @ steps[:, 1])
    j_axis /= np.linalg.norm(j_axis)
    normal = np.cross(i_axis, j_axis)
    axes = np.column_stack([i_axis, j_axis, normal * np.sign(normal @ steps[:, 2])])
    spacing = (axes * steps).sum(axis=0)
    faces = (geometry.ras_from_ijk(geometry.corners_ijk(edge=0.5)) @ axes) / spacing
    low, high = faces.min(axis=0), faces.max(axis=0)
    counts = np.ceil(high - low - _NO_VOXEL).astype(int)
    i, j, k = (int(n) for n in counts)
    origin = axes @ ((low + 0.5) * spacing)
    return Geometry.from_spacing((k, j, i), tuple(spacing), axes, tuple(float(v) for v in origin))


@dataclass(frozen=True)
class StraightGrid:
    """The grid on which a model works instead of that of a volume.

    Attributes:
        own: the volume's grid.
        geometry: one with axes at right angles; `own` itself if it has them.
        is_resampled: whether its voxels are at other places. They are not if the nearest right
            angles move no corner by more than LARGEST_MOVE_VOXELS; otherwise it is a
            `regular_grid`.
    """

    own: Geometry
    geometry: Geometry
    is_resampled: bool

    @classmethod
    def of(cls, geometry: Geometry) -> StraightGrid:
        """The straight grid of a volume's grid."""
        if not geometry.is_sheared:
            return cls(geometry, geometry, False)
        straight = nearest_right_angled(geometry)
        if straight.moved_voxels <= LARGEST_MOVE_VOXELS:
            return cls(geometry, straight.geometry, False)
        return cls(geometry, regular_grid(geometry), True)

    def volume(self, volume: Volume) -> Volume:
        """A volume on this grid, in its own voxel type; beyond it, its lowest value is used."""
        return volume.each_image(self._image)

    def _image(self, volume: Volume) -> Volume:
        if not self.is_resampled:
            return Volume(volume.array_kji, self.geometry)
        lowest = float(volume.array_kji.min())
        moved = volume.resample(self.geometry, outside=lowest)
        if volume.array_kji.dtype.kind == "f":
            return moved
        return moved.with_array(np.rint(moved.array_kji).astype(volume.array_kji.dtype))

    def labels(self, labels: Volume) -> Volume:
        """A label map of the volume on this grid: nearest voxels."""
        if not self.is_resampled:
            return Volume(labels.array_kji, self.geometry)
        return labels.resample(self.geometry, order=0)

    def region(self, region: Region) -> Region:
        """The smallest region of this grid around all voxels of a region of the volume."""
        return _region_on(region, self.own, self.geometry) if self.is_resampled else region

    def region_back(self, region: Region) -> Region:
        """The smallest region of the volume around all voxels of a region of this grid."""
        return _region_on(region, self.geometry, self.own) if self.is_resampled else region


def _region_on(region: Region, geometry: Geometry, grid: Geometry) -> Region:
    """The smallest region of a grid around a region of another; its nearest voxel if outside."""
    part = geometry.crop(region)
    faces = grid.ijk_from_ras(part.ras_from_ijk(part.corners_ijk(edge=0.5)))[:, ::-1]
    most = np.array(grid.shape_kji) - 1
    low = np.clip(np.floor(faces.min(axis=0) + 0.5 + _NO_VOXEL).astype(int), 0, most)
    high = np.clip(np.ceil(faces.max(axis=0) + 0.5 - _NO_VOXEL).astype(int), low + 1, most + 1)
    return Region(shape_triple(low.tolist()), shape_triple(high.tolist()))
