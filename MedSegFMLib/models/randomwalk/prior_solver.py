"""The random walk with a network's logits as the prior of each cell.

As in Grady's random walker with priors (CVPR 2005), but the prior comes from a network, beside
location and appearance. It follows the edges of the image in places that the network is unsure of,
and marks act locally through their kernels.
"""

from __future__ import annotations

import numpy as np

from ...progress import Progress
from ...prompts.voxels import VoxelMarks
from ...volumes.pooling import Floats, pooled
from .appearance import likelihood
from .clicks import Mark, depth_map, grid_marks, interpolate
from .half_contrast import clear_object
from .random_walker import random_walk
from .small_components import without_small_components
from .solver import PreparedCrop, on_voxels


def solve_from_prior(
    crop: PreparedCrop, prior_kji: Floats, marks: VoxelMarks, progress: Progress
) -> Floats:
    """Logits of the crop's voxels, from a network's logits and the marks.

    Args:
        crop: the prepared crop.
        prior_kji: float32, the network's logits of the crop's voxels.
        marks: the marks in voxels of the crop.
        progress: reports progress; may raise Cancelled.
    """
    settings, grid, appearance = crop.settings, crop.grid, crop.appearance
    most = settings.network_most_logit
    placed = grid_marks(grid, marks, settings)
    prior = np.clip(pooled(prior_kji, grid.factors, "mean"), -most, most)
    prior = crop.with_sparse(prior, placed)
    kernels = _kernels(crop, prior, placed)
    before, logits = prior, interpolate(prior, placed, kernels, settings)
    # In a box, what is around the prediction is not all of the background.
    clear = None if marks.boxes else clear_object(crop.cells, crop.blurred, prior, placed, settings)
    free = [_beyond(placed, kernels, positive) for positive in (True, False)]
    for n in range(settings.network_rounds):
        progress(n / settings.network_rounds, "Solving the random walk")
        unary = prior + settings.network_location_weight * grid.prior
        unary += settings.click_unary * (logits - before)
        fit = likelihood(appearance, grid, logits, placed, settings)
        # It contradicts no mark as far as the mark acts.
        fit *= settings.likelihood_weight * np.where(fit < 0, *free)
        if clear is None:
            unary += fit
        else:
            # The likelihood learns from a prediction that is too wide that the rest belongs to it.
            unary += (1 - clear.weight) * fit + clear.weight * clear.logits
            unary -= clear.weight * (1 - settings.clear_prior_weight) * prior
        before = random_walk(crop.graph, unary, settings.network_gamma, settings)
        logits = interpolate(before, placed, kernels, settings)
    return on_voxels(without_small_components(logits, placed, settings), crop)


def _beyond(placed: list[Mark], kernels: list[Floats], positive: bool) -> Floats:
    """1 in cells on which no mark of that sign acts, falling to 0 at the marks."""
    beyond = np.ones((), dtype=np.float32)
    for mark, kernel in zip(placed, kernels, strict=True):
        if mark.positive == positive:
            beyond = beyond * (1 - kernel)
    return beyond


def _kernels(crop: PreparedCrop, prior: Floats, placed: list[Mark]) -> list[Floats]:
    """The kernel of each mark, which corrects the prior and the marks before it."""
    kernels: list[Floats] = []
    logits = prior
    for n, mark in enumerate(placed, 1):
        kernels.append(crop.kernel(mark, depth_map(crop.grid, mark, logits)))
        logits = interpolate(prior, placed[:n], kernels, crop.settings)
    return kernels
