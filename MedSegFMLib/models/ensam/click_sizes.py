"""Regions of several sizes around a click, of which the network's own certainty chooses one.

The network sees every region on the same number of cells, so an object that fills little of a
region vanishes, and one that does not fit is cut. Both make it less certain of what it marks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...progress import Progress, parts_of
from ...prompts.voxels import Indices
from ...segmenter import Logits, RegionRule, certainty
from ...volumes.geometry import Geometry
from ...volumes.region import Region, shape_triple

# From the first voxel of the mark to the region's faces: 5.7 to 128 of the finest voxel widths, in
# steps of the square root of 2.
_RADII = tuple(2 ** (n / 2) for n in range(5, 15))


def regions_around(
    marked_kji: Indices, geometry: Geometry, rule: RegionRule, most_voxels: int | None = None
) -> list[Region]:
    """Regions of increasing size, as wide in millimetres along each axis, clipped to the volume.

    Args:
        marked_kji: (n, 3), the voxels of a mark, which are in every region.
        geometry: the grid of the volume.
        rule: the margins around the mark as if it were a box.
        most_voxels: the most voxels of a region, except of the smallest; None for any.
    """
    low, high = marked_kji.min(axis=0).tolist(), (marked_kji.max(axis=0) + 1).tolist()
    mark = Region(shape_triple(low), shape_triple(high))
    core = mark.grown(rule.margin(mark), geometry.shape_kji)
    first = marked_kji[0].tolist()
    voxel = Region(shape_triple(first), shape_triple(v + 1 for v in first))
    spacing = np.array(geometry.spacing_kji_mm)
    regions: list[Region] = []
    for radius in _RADII:
        margin = np.maximum(np.round(radius * spacing.min() / spacing), 1).astype(int)
        region = core.union(voxel.grown(margin.tolist(), geometry.shape_kji))
        is_new = not regions or region != regions[-1]
        if is_new and (not regions or most_voxels is None or region.size <= most_voxels):
            regions.append(region)
    return regions


def surest(
    regions: list[Region], decoded: Callable[[Region, Progress], Logits], progress: Progress
) -> Region:
    """The region, of at least one, in which the network is most certain; the smallest of equals.

    Args:
        regions: the regions.
        decoded: the network's logits in a region.
        progress: reports progress; may raise Cancelled.
    """
    found = [
        certainty(decoded(region, share))
        for region, share in zip(regions, parts_of(progress, len(regions)), strict=True)
    ]
    return regions[int(np.argmax(found))]
