"""Resolving overlaps between objects by their highest logit.

The rule of ENSAM's inference: each voxel is assigned to the object with the highest logit above 0;
for an object without voxels, 2^k is added inside its box, for at most ten rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..prompts.voxels import VoxelMarks
from ..segmenter import Prediction
from .shared_starts import SharedStarts

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_ROUNDS = 10
_NOTHING = SharedStarts()


def resolve_overlaps(
    predictions: Mapping[int, Prediction],
    marks: Mapping[int, VoxelMarks],
    shared: SharedStarts = _NOTHING,
) -> dict[int, Prediction]:
    """The predictions with logits above 0 for at most one object per voxel.

    If another object has a higher logit, a voxel gets the difference to that logit, which is
    negative; of equal logits the lower label wins. The planes of the predictions are resolved in
    the same way, each with the same plane of the others. The given predictions are not changed.

    Args:
        predictions: the model's prediction for each label, on the same volume.
        marks: the boxes and marked voxels of each label in the volume. A voxel marked as background
            stays background, even if that leaves its object empty.
        shared: the voxels that two objects may have in common.
    """
    raised = dict(predictions)
    resolved = {label: _lowered(label, raised, shared) for label in sorted(raised)}
    for k in range(_ROUNDS):
        empty = [
            label for label in resolved if marks[label].boxes and not _holds_any(resolved[label])
        ]
        if not empty:
            break
        raised.update({label: _raised(predictions[label], marks[label], 2.0**k) for label in empty})
        resolved = {label: _lowered(label, raised, shared) for label in sorted(raised)}
    return resolved


def _holds_any(prediction: Prediction) -> bool:
    return bool((prediction.logits_kji > 0).any())


def _lowered(label: int, predictions: Mapping[int, Prediction], shared: SharedStarts) -> Prediction:
    own = predictions[label]
    logits, planes = own.logits_kji, dict(own.planes)
    for other_label, other in predictions.items():
        common = own.region.intersection(other.region) if other_label != label else None
        if common is None:
            continue
        here = common.relative_to(own.region).slices
        there = common.relative_to(other.region).slices
        theirs, ours = other.logits_kji[there], own.logits_kji[here]
        compete = ~shared.within(label, other_label, common)
        lost = compete & _lost(ours, theirs, 0.0, other_label < label)
        if lost.any():
            logits = logits.copy() if logits is own.logits_kji else logits
            # Equal logits differ by nothing, so the loser goes just below 0.
            distance = np.minimum(ours - theirs, -np.finfo(np.float32).eps)
            logits[here] = np.where(lost, np.minimum(logits[here], distance), logits[here])
        for name in own.planes.keys() & other.planes.keys():
            theirs, ours = other.planes[name][there], own.planes[name][here]
            lost = compete & _lost(ours, theirs, 0.5, other_label < label)
            if lost.any():
                plane = planes[name]
                plane = planes[name] = plane.copy() if plane is own.planes[name] else plane
                plane[here][lost] = np.minimum(plane[here][lost], _beside(ours[lost], theirs[lost]))
    return replace(own, logits_kji=logits, planes=planes)


def _lost(ours: Floats, theirs: Floats, border: float, yields: bool) -> Mask:
    """Voxels at which another object, above `border`, is higher than ours; yields: or equal."""
    higher: Mask = theirs >= ours if yields else theirs > ours
    return higher & (theirs > border)


def _beside(ours: Floats, theirs: Floats) -> Floats:
    """The probability whose logit is the difference between the logits of `ours` and `theirs`."""
    own, other = ours * (1 - theirs), theirs * (1 - ours)
    total = own + other
    result: Floats = np.divide(own, total, out=np.full_like(own, 0.5), where=total > 0)
    return result


def _raised(prediction: Prediction, marks: VoxelMarks, amount: float) -> Prediction:
    here = marks.within(prediction.region)
    logits = prediction.logits_kji.copy()
    for box in here.boxes:
        logits[box.slices] += np.float32(amount)
    background = tuple(here.background_kji.T)
    logits[background] = prediction.logits_kji[background]
    if here.fixed is not None:
        part, before = (a[here.fixed.region.slices] for a in (logits, prediction.logits_kji))
        part[here.fixed.fixed_kji] = before[here.fixed.fixed_kji]
    return prediction.with_logits(logits)
