"""A crop of the image with a box in it: prepared once, solved for every set of marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...prompts.voxels import VoxelMarks
from ...volumes.intensities import intensity_bounds, normalised
from ...volumes.pooling import Floats, pooled
from ...volumes.region import Region, Shape
from ...volumes.resampling import resampled
from .appearance import Appearance, appearance_features, likelihood, slightly_blurred
from .box_grid import BoxGrid, Cell, make_box_grid
from .calibration import calibrate
from .clicks import (
    FAR,
    Mark,
    depth_map,
    grid_marks,
    interpolate,
    kernel,
    mark_range,
    path_lengths,
)
from .half_contrast import Finding
from .mask_prior import mask_logits
from .random_walker import Graph, make_graph, random_walk
from .settings import Settings
from .small_components import without_small_components
from .sparse_object import for_sparse, sparse_object, without_rejected_pieces

# The bytes of a prepared crop per cell: features, graph, and the paths of about five marks.
PREPARED_BYTES_PER_CELL = 122
# How far beyond the bounds of the features intensities still differ, in their ranges.
_RANGES_BEYOND = 10
_PATHS_KEPT = 16
# The longest paths that are computed are multiples of this, in half boxes.
_LENGTH_STEP = 0.5


@dataclass(frozen=True, eq=False)
class Path:
    """The `path_lengths` of a mark, up to `longest` half boxes."""

    longest: float
    lengths: Floats


@dataclass(frozen=True, eq=False)
class PreparedCrop:
    """Everything that depends on the image and the box alone.

    Attributes:
        shape_kji: The crop's shape in voxels.
        grid: The box and its cells.
        appearance: The features of the cells.
        cells: float32, the intensities, of which only far outliers are clipped.
        blurred: float32, the same, slightly blurred.
        graph: The random walker's graph.
        sparse: The object, if it fills little of its box.
        settings: The settings of the method, for such an object if it is one.
        paths: The path lengths from the latest marks, by cell.
    """

    shape_kji: Shape
    grid: BoxGrid
    appearance: Appearance
    cells: Floats
    blurred: Floats
    graph: Graph
    sparse: Finding | None
    settings: Settings
    paths: dict[Cell, Path] = field(default_factory=dict)

    def with_sparse(self, logits: Floats, marks: Sequence[Mark] = ()) -> Floats:
        """Logits of the cells, as far as the object does not fill little of its box."""
        if self.sparse is None:
            return logits
        weight, most = np.float32(self.sparse.weight), self.settings.network_most_logit
        found = without_rejected_pieces(self.sparse.logits, marks, most)
        return (1 - weight) * logits + weight * found

    def kernel(self, mark: Mark, depth: Floats) -> Floats:
        """The `kernel` of a mark, given its `depth_map`; its paths are computed once."""
        # In steps, so that later predictions, which change the range a little, need no new paths.
        longest = self.settings.path_most_ranges * mark_range(depth, mark, self.settings)
        longest = ceil(longest / _LENGTH_STEP) * _LENGTH_STEP
        path = self.paths.pop(mark.cell, None)
        if path is None or path.longest < longest:
            smooth = self.appearance.smooth
            lengths = path_lengths(self.grid, smooth, mark, longest, self.settings)
            path = Path(longest, lengths)
        while len(self.paths) >= _PATHS_KEPT:
            del self.paths[next(iter(self.paths))]
        self.paths[mark.cell] = path
        # What was computed before does not change the answer.
        near = np.where(path.lengths > longest, FAR, path.lengths)
        return kernel(self.appearance.smooth, near, depth, mark, self.settings)


@dataclass(frozen=True, eq=False)
class PreparedBox:
    """A prepared crop, and the logits of its cells from the box alone."""

    crop: PreparedCrop
    logits: Floats


def prepare_crop(
    crop_kji: NDArray[Any],
    spacing_kji_mm: Sequence[float],
    box: Region,
    settings: Settings,
) -> PreparedCrop:
    """Prepare a crop, of any real type, for a box in voxels of the crop."""
    grid = make_box_grid(crop_kji.shape, box, spacing_kji_mm, settings)
    cell_widths = np.array(spacing_kji_mm) * grid.factors
    relative = cell_widths.min() / cell_widths
    # First, as they refuse values that 32-bit floats do not hold.
    low, high = intensity_bounds(crop_kji)
    cells = pooled(crop_kji, grid.factors, "mean")
    appearance = appearance_features(normalised(cells, (low, high)), grid, relative, settings)
    graph = make_graph(appearance.fine, relative, settings)
    # An object with fewer voxels than are beyond the bounds would be no brighter than noise.
    beyond, most = _RANGES_BEYOND * (high - low), float(np.finfo(np.float32).max) / 4
    cells = normalised(cells, (max(low - beyond, -most), min(high + beyond, most)))
    blurred = slightly_blurred(cells, relative)
    sparse = None
    if settings.finds_sparse:
        sparse = sparse_object(blurred, grid.inside, graph, settings)
    if sparse is not None:
        settings = for_sparse(settings, sparse.weight)
    return PreparedCrop(crop_kji.shape, grid, appearance, cells, blurred, graph, sparse, settings)


def prepare(
    crop_kji: NDArray[Any],
    spacing_kji_mm: Sequence[float],
    box: Region,
    settings: Settings,
    progress: Progress,
    start_kji: NDArray[np.bool_] | None = None,
) -> PreparedBox:
    """Prepare a crop, of any real type, and solve it for a box in voxels of the crop.

    With a mask to start from, its voxels in the crop, the box is around the mask: the mask takes
    the place of the location prior and is the prediction before any mark.
    """
    progress(0.0, "Computing features")
    crop = prepare_crop(crop_kji, spacing_kji_mm, box, settings)
    grid = replace(crop.grid, prior=crop.with_sparse(crop.grid.prior))
    crop, settings = replace(crop, grid=grid), crop.settings
    if start_kji is not None:
        logits = mask_logits(start_kji, grid, settings)
        return PreparedBox(replace(crop, grid=replace(grid, prior=logits)), logits)
    logits = grid.prior
    for n in range(settings.box_rounds):
        progress(0.4 + 0.4 * n / settings.box_rounds, "Separating object and background")
        fit = likelihood(crop.appearance, grid, logits, [], settings)
        logits = grid.prior + settings.likelihood_weight * fit
    progress(0.8, "Solving the random walk")
    logits = calibrate(
        random_walk(crop.graph, logits, settings.box_gamma, settings), grid, settings, 1.0
    )
    return PreparedBox(crop, logits)


def solve(prepared: PreparedBox, marks: VoxelMarks, progress: Progress) -> Floats:
    """Logits of the crop's voxels for its box and `marks`, in voxels of the crop."""
    crop = prepared.crop
    settings, grid, appearance = crop.settings, crop.grid, crop.appearance
    base = logits = prepared.logits
    placed = grid_marks(grid, marks, settings)
    if placed:
        kernels: list[Floats] = []
        reach = 0.0
        for n, mark in enumerate(placed, 1):
            progress(0.3 * n / len(placed), "Reading the prompts")
            depth = depth_map(grid, mark, logits)
            reach = max(reach, float(depth[mark.cell]))
            kernels.append(crop.kernel(mark, depth))
            logits = interpolate(base, placed[:n], kernels, settings)
        # Marks far from anything correct mean that the whole prediction was wrong; those near the
        # outline leave the rest unchanged.
        most = settings.renewal_reach_half_boxes
        renewed = min(1.0, reach / most) if most > 0 else 1.0
        for n in range(settings.click_rounds):
            progress(0.3 + 0.6 * n / settings.click_rounds, "Solving the random walk")
            fit = likelihood(appearance, grid, logits, placed, settings)
            unary = grid.prior + settings.click_unary * (logits - base)
            unary += settings.likelihood_weight * fit
            smooth = random_walk(crop.graph, unary, settings.click_gamma, settings)
            fresh = calibrate(smooth, grid, settings, 1 / (1 + len(placed)))
            base = prepared.logits + np.float32(renewed) * (fresh - prepared.logits)
            logits = interpolate(base, placed, kernels, settings)
    progress(0.9, "Predicting the mask")
    return on_voxels(without_small_components(logits, placed, settings), crop)


def on_voxels(logits: Floats, crop: PreparedCrop) -> Floats:
    """Resample from cells to voxels, linearly between the centres of cells."""
    factors = crop.grid.factors
    whole = [n * f for n, f in zip(logits.shape, factors, strict=True)]
    k, j, i = crop.shape_kji
    return np.ascontiguousarray(resampled(logits, whole)[:k, :j, :i])
