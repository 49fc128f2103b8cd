"""Objects that fill little of their box: the part of it that is unlike its surroundings.

A vessel, a sheet or scattered lesions fill a few per cent of their box, and the rest of it is like
everything around the box. How much of the box may be like its surroundings follows from intensities
alone: it is the largest share of their density outside that fits into their density inside (mixture
proportion estimation; Blanchard, Lee and Scott, "Semi-supervised novelty detection", JMLR 2010). If
that is most of the box, the object is the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...volumes.pooling import Floats
from .clicks import Mark
from .half_contrast import Finding, beyond_half, centre_and_spread, ramp
from .random_walker import Graph, random_walk
from .settings import Settings

Bools = NDArray[np.bool_]
# The settings that differ for a sparse object, with its own values.
_OF_SPARSE = {
    "likelihood_weight": "sparse_likelihood_weight",
    "network_location_weight": "sparse_location_weight",
    "box_gamma": "sparse_gamma",
    "click_gamma": "sparse_gamma",
    "occupancy_weight": "sparse_occupancy_weight",
    "face_weight": "sparse_face_weight",
    "click_reach_power": "sparse_click_reach_power",
    "click_shortest_half_boxes": "sparse_click_shortest_half_boxes",
}


def sparse_object(fine: Floats, inside: Bools, graph: Graph, settings: Settings) -> Finding | None:
    """The part of a box that is unlike its surroundings; None if that is not clearly the object.

    Args:
        fine: the intensities of cells, slightly smoothed.
        inside: the cells of the box.
        graph: the graph of the cells.
        settings: the settings of the method.
    """
    if min(inside.sum(), (~inside).sum()) < settings.sparse_least_cells:
        return None
    alike, unlike = _unlike_surroundings(fine, inside, settings)
    weight = ramp(alike, settings.sparse_from, settings.sparse_to)
    if weight == 0:
        return None
    logits = _within_half_contrast(fine, inside, unlike, settings)
    logits = random_walk(graph, logits, settings.sparse_gamma, settings)
    logits[~inside] = -settings.network_most_logit
    return Finding(weight, logits) if _spans(logits > 0, inside, settings.sparse_span) else None


def without_rejected_pieces(logits: Floats, marks: Sequence[Mark], most: float) -> Floats:
    """Logits of an object without its pieces that are marked as background alone.

    One piece always stays, in which a mark corrects its surroundings only.

    Args:
        logits: the logits of cells.
        marks: the marks.
        most: the logit of a rejected piece, negated.
    """
    from scipy.ndimage import label

    pieces, count = label(logits > 0)
    kept = {int(pieces[mark.cell]) for mark in marks if mark.positive}
    rejected = {int(pieces[mark.cell]) for mark in marks if not mark.positive} - kept - {0}
    if not rejected or len(rejected) == count:
        return logits
    return np.where(np.isin(pieces, list(rejected)), np.float32(-most), logits)


def for_sparse(settings: Settings, weight: float) -> Settings:
    """The settings for a box with a sparse object of that weight.

    Nothing is known of its place in the box and of how much of the box it fills, and a mark acts as
    far as the error reaches.
    """
    return replace(
        settings,
        **{
            name: (1 - weight) * getattr(settings, name) + weight * getattr(settings, of_sparse)
            for name, of_sparse in _OF_SPARSE.items()
        },
    )


def _unlike_surroundings(
    fine: Floats, inside: Bools, settings: Settings
) -> tuple[float, NDArray[np.float64]]:
    """The share of the box that is like its surroundings; how unlike each cell is, 0 to 1."""
    from scipy.ndimage import gaussian_filter1d

    low, high = np.percentile(fine, [0.1, 99.9])
    bins = settings.sparse_bins
    scaled = np.clip((fine - low) / max(high - low, np.finfo(np.float32).tiny), 0, 1)
    level = np.minimum((scaled * bins).astype(np.int64), bins - 1)

    def density(part: Bools) -> NDArray[np.float64]:
        counts = np.bincount(level[part], minlength=bins).astype(np.float64)
        smooth = gaussian_filter1d(counts / counts.sum(), 1.0, mode="constant")
        return np.asarray(smooth, dtype=np.float64)

    within, around = density(inside), density(~inside)
    order = np.argsort(within / np.maximum(around, 1e-9))
    # Of fewer cells, the ratio of both densities is by chance.
    shares = np.cumsum(around[order])
    enough = shares >= settings.sparse_least_share
    alike = float((np.cumsum(within[order])[enough] / shares[enough]).min())
    unlike = np.clip(1 - alike * around / np.maximum(within, 1e-9), 0, 1)
    return alike, unlike[level]


def _within_half_contrast(
    fine: Floats, inside: Bools, unlike: NDArray[np.float64], settings: Settings
) -> Floats:
    """Logits of the brighter and the darker parts of a box that are unlike its surroundings."""
    most = settings.network_most_logit
    found = np.full(fine.shape, -most, dtype=np.float32)
    background, spread = centre_and_spread(fine[~inside])
    surely = inside & (unlike > 0.5)
    bounded = np.clip(unlike, 1e-3, 1 - 1e-3)
    fits = np.log(bounded / (1 - bounded))
    for sign in (1, -1):
        differs = sign * (fine - background)
        half = 0.0
        # What is beyond half the contrast decides what the contrast is.
        for _ in range(settings.sparse_rounds):
            part = surely & (differs > half)
            half = abs(float(np.median(fine[part])) - background) / 2 if part.any() else 0.0
        if half == 0 or 2 * half < settings.sparse_least_contrast * spread:
            continue
        level = background + sign * 2 * half
        logits = settings.sparse_slope * beyond_half(fine, background, level)
        found = np.maximum(found, np.minimum(logits, fits))
    found[~inside] = -most
    return np.asarray(np.clip(found, -most, most), dtype=np.float32)


def _spans(mask: Bools, inside: Bools, share: float) -> bool:
    """Whether a mask extends along at least that share of the box on every axis."""
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        box, found = (np.flatnonzero(part.any(axis=others)) for part in (inside, mask))
        if not len(found) or found[-1] - found[0] + 1 < share * len(box):
            return False
    return True
