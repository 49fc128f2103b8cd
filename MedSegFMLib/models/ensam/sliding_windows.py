"""Refinement in windows of a region that has many more voxels than the network has cells.

A window is processed once a mark is in it. The windows overlap, and the prediction for the whole
region is their previous step, so that the network decides on finer cells, given the rough shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil

import numpy as np

from ...segmenter import Logits
from ...volumes.region import Region, Shape, shape_triple
from .tokens import Tokens

# Sides with more voxels a cell are covered by two windows, each this fraction of the side wide.
_MOST_VOXELS_PER_CELL = 1.3
_WIDTH = 0.6
# A window without any logit above this one is not refined.
_FAR_LOGIT = -3.0


@dataclass(frozen=True, eq=False)
class WindowAnswer:
    """The network's answer in a window.

    Attributes:
        tokens: The prompts that it was given, relative to the window.
        logits: float32, on the network's own grid.
    """

    tokens: Tokens
    logits: Logits


def window_regions(shape_kji: Shape, cells: int) -> list[Region]:
    """The windows of a region, eight at most; [] if its cells are fine enough."""
    spans = []
    for side in shape_kji:
        width = ceil(_WIDTH * side)
        fine = side <= _MOST_VOXELS_PER_CELL * cells
        spans.append([(0, side)] if fine else [(0, width), (side - width, side)])
    corners = [zip(*spans_kji, strict=True) for spans_kji in product(*spans)]
    regions = [Region(shape_triple(start), shape_triple(stop)) for start, stop in corners]
    return regions if len(regions) > 1 else []


def holds_object(coarse: Logits, window: Region) -> bool:
    """Whether the prediction for the whole region leaves anything to refine in a window."""
    return bool((coarse[window.slices] > _FAR_LOGIT).any())


def blended(coarse: Logits, refined: Sequence[tuple[Region, Logits]]) -> Logits:
    """The mean of the predictions for a region and for its windows, where they exist.

    Where windows overlap, each has more weight in its middle. Arrays are float32 (K, J, I).
    """
    total, weights = np.zeros_like(coarse), np.zeros_like(coarse)
    for window, logits in refined:
        weight = _middle_first(window.shape_kji)
        total[window.slices] += weight * logits
        weights[window.slices] += weight
    covered = weights > 0
    return np.where(covered, 0.5 * (coarse + total / np.where(covered, weights, 1)), coarse)


def _middle_first(shape_kji: Shape) -> Logits:
    """(K, J, I) float32, positive, falling from the middle to the nearest face."""
    ramps = [
        (np.minimum(np.arange(n) + 1, n - np.arange(n)) / n).astype(np.float32) for n in shape_kji
    ]
    k, j, i = np.ix_(*ramps)
    return np.minimum(np.minimum(k, j), i)
