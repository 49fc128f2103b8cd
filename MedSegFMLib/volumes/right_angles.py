"""Grids with axes at right angles, for those that are nearly or not at all so.

A header that rounds its matrix makes axes that are nearly at right angles; the nearest orthonormal
axes are meant. A tilted gantry makes a sheared grid; models work on a regular one around it, and
their masks are brought back to the volume's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Geometry
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
    """A grid with axes at right angles around all voxels of a sheared one.

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
    corners = (geometry.ras_from_ijk(geometry.corners_ijk()) @ axes) / spacing
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = np.ceil(high - low - _NO_VOXEL).astype(int) + 1
    i, j, k = (int(n) for n in counts)
    return Geometry.from_spacing(
        (k, j, i), tuple(spacing), axes, tuple(float(v) for v in axes @ (low * spacing))
    )


def on_regular_grid(volume: Volume) -> Volume:
    """A sheared volume resampled to `regular_grid`, in its own voxel type; any other as it is.

    Beyond the volume its lowest value is used.
    """
    if not volume.geometry.is_sheared:
        return volume
    lowest = float(volume.array_kji.min())
    moved = volume.resample(regular_grid(volume.geometry), outside=lowest)
    if volume.array_kji.dtype.kind == "f":
        return moved
    return moved.with_array(np.rint(moved.array_kji).astype(volume.array_kji.dtype))


def brought_back(result: Volume, geometry: Geometry) -> Volume:
    """A result on the grid that `on_regular_grid` made, on the volume's own grid `geometry`.

    Labels keep their values (nearest voxel); numbers are interpolated, and 0 beyond the result.
    """
    order = 1 if result.array_kji.dtype.kind == "f" else 0
    return result.resample(geometry, order=order)
