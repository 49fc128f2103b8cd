"""The grid on which ENSAM's network sees a region: a fixed number of cells, or its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits, RegionRule
from ...volumes.region import Region, Shape, shape_triple
from ...volumes.resampling import cell_positions, resampled
from .network.config import EnsamConfig
from .sliding_windows import window_regions
from .voxel_grid import (
    pooled_image,
    pooled_logits,
    pooled_positions,
    pooling_factors,
    unpooled_logits,
)


class Grid(Protocol):
    """From a region's voxels to what the network processes, and back.

    Attributes:
        region_rule: the region around the prompts.
        is_refined: whether the random walk refines the answers unless the user decides.
        bytes_per_voxel: the memory for each voxel of a region.
    """

    region_rule: RegionRule
    is_refined: bool
    bytes_per_voxel: int

    def image(self, array: NDArray[np.generic]) -> Logits:
        """Intensities (K, J, I) of a region on the grid, float32."""

    def previous(self, logits: Logits) -> Logits:
        """The logits (K, J, I) of a previous step on the grid."""

    def positions(self, positions_kji: NDArray[np.float64], shape_kji: Shape) -> Logits:
        """Positions (n, 3) in voxels of a region of that shape, in those of the grid."""

    def logits(self, logits: Logits, shape_kji: Shape) -> Logits:
        """Logits of the grid on the voxels (K, J, I) of the region."""

    def spacing_mm(self, shape_kji: Shape, spacing_kji_mm: Sequence[float]) -> list[float]:
        """The size of a cell of the grid."""

    def windows(self, shape_kji: Shape) -> list[Region]:
        """The windows of a region that may be processed again; [] for none."""


class CellGrid:
    """A fixed number of cells along each axis, so that an object always has the same size."""

    region_rule = RegionRule(
        margin_voxels=2,
        margin_fraction=0.25,
        click_radius_voxels=16,
        shared=False,
        chooses_size=True,
    )
    is_refined = True
    # Growth over a box and five clicks, with their predictions stored: 360, 402, 614 and 1354 MB
    # for regions of 48, 96, 160 and 256 voxels a side (Testing/benchmarks/memory.py).
    bytes_per_voxel = 62

    def __init__(self, cells: int) -> None:
        self._cells = (cells, cells, cells)

    def image(self, array: NDArray[np.generic]) -> Logits:
        """See `Grid.image`."""
        return resampled(array, self._cells)

    def previous(self, logits: Logits) -> Logits:
        """See `Grid.previous`."""
        return resampled(logits, self._cells)

    def positions(self, positions_kji: NDArray[np.float64], shape_kji: Shape) -> Logits:
        """See `Grid.positions`."""
        return cell_positions(positions_kji, shape_kji, self._cells)

    def logits(self, logits: Logits, shape_kji: Shape) -> Logits:
        """See `Grid.logits`."""
        return resampled(logits, shape_kji)

    def spacing_mm(self, shape_kji: Shape, spacing_kji_mm: Sequence[float]) -> list[float]:
        """See `Grid.spacing_mm`."""
        sides = zip(spacing_kji_mm, shape_kji, self._cells, strict=True)
        return [mm * voxels / cells for mm, voxels, cells in sides]

    def windows(self, shape_kji: Shape) -> list[Region]:
        """See `Grid.windows`."""
        return window_regions(shape_kji, self._cells[0])


class VoxelGrid:
    """The voxels themselves, as in the paper; see `voxel_grid`.

    Also as in the paper, a region extends 32 voxels beyond the boxes, or 16 around the first click,
    objects share it, and nothing processes the network's answer any further.
    """

    region_rule = RegionRule(
        margin_voxels=32, margin_fraction=0.0, click_radius_voxels=16, shared=True
    )
    is_refined = False
    # Growth over a box and two clicks with random weights: 193, 472 and 754 MB for regions of 64,
    # 96 and 112 voxels a side, on one thread.
    bytes_per_voxel = 540

    def image(self, array: NDArray[np.generic]) -> Logits:
        """See `Grid.image`."""
        return pooled_image(array, pooling_factors(array.shape))

    def previous(self, logits: Logits) -> Logits:
        """See `Grid.previous`."""
        return pooled_logits(logits, pooling_factors(logits.shape))

    def positions(self, positions_kji: NDArray[np.float64], shape_kji: Shape) -> Logits:
        """See `Grid.positions`."""
        return pooled_positions(positions_kji, pooling_factors(shape_kji))

    def logits(self, logits: Logits, shape_kji: Shape) -> Logits:
        """See `Grid.logits`."""
        return unpooled_logits(logits, pooling_factors(shape_kji), shape_triple(shape_kji))

    def spacing_mm(self, shape_kji: Shape, spacing_kji_mm: Sequence[float]) -> list[float]:
        """See `Grid.spacing_mm`."""
        pairs = zip(spacing_kji_mm, pooling_factors(shape_kji), strict=True)
        return [mm * factor for mm, factor in pairs]

    def windows(self, shape_kji: Shape) -> list[Region]:
        """See `Grid.windows`."""
        return []


def grid_of(config: EnsamConfig) -> Grid:
    """The grid of a network."""
    return VoxelGrid() if config.native else CellGrid(config.cells)
