"""Accuracy and agreement of planes of an adapted SAM, computed as by the model `sam`.

The prompt of every object is the box around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....consistency.measure import Consistency, measure
from ....metrics import dice
from ....models.sam.segmenter import PlanarSegmenter
from ....progress import Progress, parts_of
from ....prompts.types import Box
from ....segmenter import Prediction
from ....session.session import Session
from ....volumes.masks import bounding_box
from .samples import TrainedObject, Voxels, thinned

# Planes disagree if their probabilities differ by more than this.
_HOT = 0.5

SCORES = ("dice", "agreement", "inconsistency")
"""Dice of the fused mask; mean Dice between planes; the paper's term, mean over the object."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The prediction for one object's box, and its consistency."""

    target: TrainedObject
    prediction: Prediction
    consistency: Consistency


def measure_target(segmenter: PlanarSegmenter, target: TrainedObject, progress: Progress) -> Seen:
    """Segment an object from the box around it."""
    session = Session(segmenter, target.volume.image)
    box = bounding_box(target.mask_kji)
    assert box is not None, "the object has a surface"
    first, last = [s.start for s in box], [s.stop for s in box]
    prompt = Box.from_ijk(target.volume.image.geometry, first[::-1], last[::-1])
    session.add(prompt)
    prediction = session.predict(progress=progress)
    return Seen(target, prediction, measure(prediction, [prompt]))


def scores(
    make: Callable[[], PlanarSegmenter],
    targets: Sequence[TrainedObject],
    progress: Progress,
) -> tuple[dict[str, float], Seen]:
    """The mean of each of `SCORES` over objects, and the result of the first object.

    An object that was not found has an agreement of 0 and does not count for the inconsistency,
    which is NaN if no object was found.

    Args:
        make: creates a segmenter with the current weights.
        targets: the objects, at least one.
        progress: reports progress.
    """
    segmenter = make()
    rows, shown = [], None
    for target, part in zip(targets, parts_of(progress, len(targets)), strict=True):
        measured = measure_target(segmenter, target, part)
        shown = shown or measured
        rows.append(
            (
                dice(target.mask_kji, measured.prediction.mask.array_kji),
                (measured.consistency.agreement or 0.0)
                * bool(measured.prediction.mask.array_kji.any()),
                np.nan
                if measured.consistency.intersection is None
                else measured.consistency.intersection,
            )
        )
    assert shown is not None, "there is one object at least"
    columns = [[v for v in column if not np.isnan(v)] for column in zip(*rows, strict=True)]
    means = [float(np.mean(column)) if column else float("nan") for column in columns]
    return dict(zip(SCORES, means, strict=True)), shown


def find_hot_voxels(
    segmenter: PlanarSegmenter, target: TrainedObject, progress: Progress
) -> Voxels:
    """The voxels (n, 3) of an object at which the planes disagree."""
    measured = measure_target(segmenter, target, progress)
    mask_kji = target.mask_kji[measured.consistency.region.slices]
    voxels = np.argwhere((measured.consistency.disagreement_kji > _HOT) & mask_kji)
    return thinned(voxels + np.array(measured.consistency.region.start_kji))
