"""Appearance: how much better intensity and texture fit the object than its surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...volumes.pooling import Floats
from .box_grid import BoxGrid
from .clicks import Mark
from .settings import Settings

# Intensities of one level have the same rank, which is then read from a table.
_RANK_LEVELS = 1 << 16


@dataclass(frozen=True, eq=False)
class Appearance:
    """The features of cells.

    Attributes:
        fine: float32 0 to 1, slightly smoothed intensities, from which edges are computed.
        smooth: float32 0 to 1, more strongly smoothed, half intensity and half its rank in the box.
        pairs: For each joint histogram the bin of every cell.
    """

    fine: Floats
    smooth: Floats
    pairs: tuple[NDArray[np.int32], ...]


def appearance_features(
    cells: Floats, grid: BoxGrid, relative: NDArray[np.float64], settings: Settings
) -> Appearance:
    """The appearance of cells with intensities 0 to 1.

    Args:
        cells: The intensities.
        grid: The box and its cells.
        relative: For each axis the finest cell width divided by its own; there is little smoothing
            across thick slices.
        settings: The settings of the method.
    """
    fine, smooth = slightly_blurred(cells, relative), _blurred(cells, 1.5 * relative)
    deviation = np.sqrt(np.maximum(_blurred(cells**2, 1.5 * relative) - smooth**2, 0))
    deviation = deviation / max(float(np.percentile(deviation, 99)), 1e-6)
    counts = np.bincount(_levels(fine[grid.inside]), minlength=_RANK_LEVELS)
    ranks = ((np.cumsum(counts) - counts) / counts.sum()).astype(np.float32)

    def ranked(values: Floats) -> Floats:
        return np.asarray(0.5 * values + 0.5 * ranks[_levels(values)], dtype=np.float32)

    def binned(values: Floats) -> NDArray[np.int32]:
        bins = (np.clip(values, 0, 1) * settings.bins).astype(np.int32)
        return np.minimum(bins, settings.bins - 1)

    ranked_smooth = ranked(smooth)
    first = binned(ranked(fine)) * settings.bins
    pairs = (first + binned(ranked_smooth), first + binned(deviation))
    return Appearance(fine, ranked_smooth, pairs)


def slightly_blurred(cells: Floats, relative: NDArray[np.float64]) -> Floats:
    """The cells, smoothed within about one; see `appearance_features`."""
    return _blurred(cells, 0.6 * relative)


def _blurred(cells: Floats, sigmas: NDArray[np.float64]) -> Floats:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(cells, sigmas, mode="nearest", truncate=2.5)
    return np.asarray(smooth, dtype=np.float32)


def _levels(values: Floats) -> NDArray[np.int32]:
    """The number of the level of each value from 0 to 1."""
    return (np.clip(values, 0, 1) * (_RANK_LEVELS - 1)).astype(np.int32)


def likelihood(
    appearance: Appearance,
    grid: BoxGrid,
    logits: Floats,
    marks: Sequence[Mark],
    settings: Settings,
) -> Floats:
    """Log likelihood ratio of object against background, from the current logits and marks.

    The densities are smoothed joint histograms, with each cell counted by its probability; every
    mark adds a share of the total mass, placed around it, to its own side.
    """
    from scipy.ndimage import gaussian_filter

    foreground = 1 / (1 + np.exp(-np.clip(logits, -6, 6)))
    weights = [foreground, 1 - foreground]
    width = settings.click_patch_cells * float(grid.cell_half_boxes.max())
    masses = [float(weight.sum()) for weight in weights]
    for mark in marks:
        patch = np.exp(-0.5 * (grid.half_boxes_from(mark.cell) / width) ** 2)
        side = 0 if mark.positive else 1
        weights[side] = weights[side] + settings.click_mass * masses[side] * patch / patch.sum()
    total = np.zeros(grid.shape, dtype=np.float32)
    bins = settings.bins
    for pair in appearance.pairs:
        densities = []
        for weight in weights:
            counts = np.bincount(pair.ravel(), weight.ravel(), bins**2).reshape(bins, bins)
            counts = gaussian_filter(counts, settings.bins_sigma, mode="constant")
            densities.append(counts / max(counts.sum(), 1e-12) + settings.likelihood_floor)
        ratio = np.log(densities[0] / densities[1])
        ratio = np.clip(ratio, -settings.likelihood_clip, settings.likelihood_clip)
        total += ratio.astype(np.float32).ravel()[pair]
    return total / np.float32(len(appearance.pairs))
