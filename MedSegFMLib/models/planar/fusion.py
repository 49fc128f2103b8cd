"""Fusion of the predictions of three planes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ...segmenter import Logits
from .stacks import StackPlane

# Slices that were not predicted are background, with the largest logit that a network returns.
FAR_LOGIT = 10.0

HalfLogits = NDArray[np.float16]

# The logit of a unanimous vote; the mean logit, scaled below the value of a vote, breaks ties.
_UNANIMOUS = 3.0
_TIE_BREAK = 0.5

# A slice unlike both its neighbours keeps this weight: it may be right and they wrong.
_LEAST_RELIABILITY = 0.1


def mean(logits: Mapping[str, Logits], planes: Mapping[str, StackPlane]) -> Logits:
    """The mean logit.

    Args:
        logits: (K, J, I) float32 by plane, at least one.
        planes: The orientation of each plane's stack in those arrays.
    """
    return np.asarray(np.mean(list(logits.values()), axis=0, dtype=np.float32))


def majority(logits: Mapping[str, Logits], planes: Mapping[str, StackPlane]) -> Logits:
    """The planes' majority vote as logits; if two planes disagree, the more confident one wins."""
    votes = np.mean([array > 0 for array in logits.values()], axis=0, dtype=np.float32)
    return np.asarray(
        _UNANIMOUS * (2 * votes - 1) + _TIE_BREAK * np.tanh(mean(logits, planes)), np.float32
    )


def reliable(logits: Mapping[str, Logits], planes: Mapping[str, StackPlane]) -> Logits:
    """The mean logit, weighted by the reliability of each slice.

    A slice's weight is the agreement (Dice) of its mask with those of its two neighbours. A plane's
    weight is the ratio of the finest plane's pixel width (geometric mean of rows and columns, mm)
    to its own.
    """
    if len(logits) == 1:
        return mean(logits, planes)
    widths = {name: float(np.sqrt(np.prod(planes[name].spacing_mm[1:]))) for name in logits}
    finest = min(widths.values())
    total = np.zeros(next(iter(logits.values())).shape, np.float32)
    weights = np.zeros_like(total)
    for name, array in logits.items():
        plane = planes[name]
        weight = reliability(plane.stack(array > 0)) * np.float32(finest / widths[name])
        along = [1, 1, 1]
        along[plane.axes_kji[0]] = -1
        weight_kji = (weight[::-1] if plane.flips[0] else weight).reshape(along)
        total += weight_kji * array
        weights += weight_kji
    return np.asarray(total / weights)


def regional(logits: Mapping[str, Logits], planes: Mapping[str, StackPlane]) -> Logits:
    """The reliability-weighted mean where all planes agree; elsewhere each region as a whole.

    A region is connected and some planes, the same ones in all of it, take it for the object. It
    belongs to the object if its mean logit, weighted by reliability, is above 0: no speckles remain
    where planes disagree, and a part that one plane alone is sure of is taken or left whole.
    """
    from scipy.ndimage import label
    from scipy.ndimage import mean as mean_of

    fused = reliable(logits, planes)
    patterns = np.zeros(fused.shape, np.uint8)
    for n, array in enumerate(logits.values()):
        patterns |= (array > 0).astype(np.uint8) << n
    least = np.finfo(np.float32).tiny
    for pattern in range(1, (1 << len(logits)) - 1):
        regions, count = label(patterns == pattern)
        if not count:
            continue
        taken = np.r_[False, mean_of(fused, regions, range(1, count + 1)) > 0][regions]
        left = (regions > 0) & ~taken
        fused[taken] = np.maximum(fused[taken], least)
        fused[left] = np.minimum(fused[left], -least)
    return fused


def reliability(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(slices,) from 0.1 to 1: mean Dice of each mask (slices, rows, columns) with its neighbours.

    Two empty masks agree. A single slice has the weight 1.
    """
    if len(masks) == 1:
        return np.ones(1, np.float32)
    sizes = masks.sum(axis=(1, 2), dtype=np.int64)
    both = (masks[1:] & masks[:-1]).sum(axis=(1, 2), dtype=np.int64)
    either = sizes[1:] + sizes[:-1]
    dice = np.where(either > 0, 2 * both / np.maximum(either, 1), 1.0)
    below, above = np.r_[dice[:1], dice], np.r_[dice, dice[-1:]]
    agreement = (below + above) / 2
    return np.asarray(_LEAST_RELIABILITY + (1 - _LEAST_RELIABILITY) * agreement, np.float32)


def halved(logits: Logits) -> HalfLogits:
    """Logits as cached in 16 bits; rounded before the first use too, so that results are stable."""
    return np.asarray(logits.clip(-FAR_LOGIT, FAR_LOGIT), np.float16)


FUSIONS: dict[str, Callable[[Mapping[str, Logits], Mapping[str, StackPlane]], Logits]] = {
    "mean": mean,
    "majority": majority,
    "reliable": reliable,
    "regions": regional,
}
