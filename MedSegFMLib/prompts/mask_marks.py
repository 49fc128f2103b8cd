"""A mask as clicks and a box, for models that take no masks: the one place that decides how.

Clicks on the object are in its inner part, at half of its greatest depth or deeper; clicks on the
background are in a ring around it. Each click is as far as possible from those before it. A
correction, a mark that says the opposite of the mask, removes the clicks around it that may share
its error: within twice the distance from the mark to where the mask agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ..volumes.geometry import Geometry, Matrix
from ..volumes.region import shape_triple
from .mask import Mask
from .mask_voxels import start_voxels
from .types import Box, Point

INSIDE_CLICKS, OUTSIDE_CLICKS = 6, 8

# The object may extend this much beyond a box around its mask, as a part of its width.
_BOX_MARGIN = 0.1
# The ring is this far from the mask, as a part of its depth, and this many voxels at least.
_RING = 0.5
_RING_VOXELS = 2.5
# Larger masks are sampled.
_MOST_VOXELS = 1_000_000


def mask_box(mask: Mask, geometry: Geometry) -> Box:
    """A box around a mask on a grid, a tenth of its width larger on each side."""
    region = start_voxels(mask, geometry).region
    margin = [max(1, ceil(_BOX_MARGIN * n)) for n in region.shape_kji]
    around = region.grown(margin, geometry.shape_kji)
    return Box.from_ijk(geometry, around.start_kji[::-1], around.stop_kji[::-1])


def mask_clicks(mask: Mask, geometry: Geometry, corrections_kji: NDArray[np.int64]) -> list[Point]:
    """Clicks that describe a mask on a grid.

    Args:
        mask: the mask.
        geometry: the grid.
        corrections_kji: (n, 3), the voxels at which the mask is known to be wrong.
    """
    marks = _marks(mask, geometry)
    corrections = geometry.ras_from_ijk(np.reshape(corrections_kji, (-1, 3))[:, ::-1])
    positions = np.concatenate([marks.inside_ras, marks.outside_ras])
    positive = np.arange(len(positions)) < len(marks.inside_ras)
    kept = np.ones(len(positions), bool)
    for correction in corrections:
        reach = 2 * marks.distance_mm(correction)
        kept &= np.linalg.norm(positions - correction, axis=1) > reach
    return [
        Point((float(x), float(y), float(z)), bool(on))
        for (x, y, z), on in zip(positions[kept], positive[kept], strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Marks:
    """Clicks of a mask, and the distance in millimetres to its border at cells around it."""

    inside_ras: Matrix
    outside_ras: Matrix
    cells: Geometry
    border_mm: NDArray[np.float32]

    def distance_mm(self, position_ras: Matrix) -> float:
        """The distance of a position to the border of the mask; at least that of a neighbour."""
        kji = np.rint(self.cells.ijk_from_ras(position_ras))[::-1]
        nearest = np.clip(kji, 0, np.array(self.border_mm.shape) - 1).astype(int)
        beyond = np.linalg.norm((kji - nearest) * self.cells.spacing_kji_mm)
        own = float(abs(self.border_mm[tuple(nearest)]))
        return max(own + float(beyond), max(self.cells.spacing_kji_mm))


@lru_cache(maxsize=8)
def _marks(mask: Mask, geometry: Geometry) -> _Marks:
    from scipy.ndimage import distance_transform_edt

    voxels = start_voxels(mask, geometry)
    margin = [max(4, ceil(0.25 * n)) for n in voxels.region.shape_kji]
    around = voxels.region.grown(margin, geometry.shape_kji)
    step = 1
    while around.size > _MOST_VOXELS * step**3:
        step += 1
    steps = [min(step, n) for n in voxels.region.shape_kji]
    inside = voxels.on(around)[tuple(slice(s // 2, None, s) for s in steps)]
    cells = _sampled(geometry.crop(around), steps, inside.shape)
    spacing = cells.spacing_kji_mm
    # Beyond the volume is outside only where the mask ends before.
    depth = distance_transform_edt(np.pad(inside, 1, mode="edge"), sampling=spacing)
    depth = depth[1:-1, 1:-1, 1:-1]
    if not inside.any() or inside.all():
        depth = np.where(inside, max(spacing), 0.0)
    height = (
        np.zeros(inside.shape)
        if not inside.any()
        else distance_transform_edt(~inside, sampling=spacing)
    )
    deepest = float(depth.max())
    far = max(_RING * deepest, _RING_VOXELS * min(spacing))
    ring = (height >= far) & (height < far + 1.5 * max(spacing))
    return _Marks(
        _spread(depth, inside & (depth >= deepest / 2), INSIDE_CLICKS, cells),
        _spread(-height, ring, OUTSIDE_CLICKS, cells),
        cells,
        (depth - height).astype(np.float32),
    )


def _sampled(geometry: Geometry, steps: list[int], shape: tuple[int, ...]) -> Geometry:
    """The grid of every n-th voxel along each axis, from the middle of the first n on."""
    matrix = geometry.ijk_to_ras.copy()
    first = np.array([s // 2 for s in steps[::-1]], float)
    matrix[:3, 3] = geometry.ras_from_ijk(first)
    matrix[:3, :3] *= np.array(steps[::-1])
    return Geometry(shape_triple(shape), matrix)


def _spread(
    rank: NDArray[np.float64], allowed: NDArray[np.bool_], count: int, cells: Geometry
) -> Matrix:
    """Positions (n, 3) of cells: the highest, then each the farthest from those before it."""
    found = np.argwhere(allowed)
    if not len(found):
        return np.zeros((0, 3))
    positions = cells.ras_from_ijk(found[:, ::-1].astype(float))
    chosen = [int(np.argmax(rank[tuple(found.T)]))]
    distance = np.linalg.norm(positions - positions[chosen[0]], axis=1)
    while len(chosen) < min(count, len(found)) and distance.max() > 0:
        chosen.append(int(np.argmax(distance)))
        gaps = np.linalg.norm(positions - positions[chosen[-1]], axis=1)
        distance = np.minimum(distance, gaps)
    return positions[chosen]
