"""How well an adapted SAM segments volumes, and how far its planes agree: as the model `sam` runs.

Every object gets the box around it as its prompt, and nothing else.
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

# Where the planes' probabilities are further apart than this they disagree.
_HOT = 0.5

SCORES = ("dice", "agreement", "inconsistency")
"""Of the fused answer; the mean Dice between planes; the paper's term, mean over the object."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The answer to one object's box, and its consistency."""

    target: TrainedObject
    prediction: Prediction
    consistency: Consistency


def measure_target(segmenter: PlanarSegmenter, target: TrainedObject, progress: Progress) -> Seen:
    """Segment an object after the box around it."""
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
    """The mean of each of `SCORES` over objects, of which there is one at least, and the first.

    make: the segmenter as it is now. An object that was not found at all agrees nowhere and counts
    nothing for the inconsistency, which is NaN where none was found.
    """
    segmenter = make()
    rows, shown = [], None
    for target, part in zip(targets, parts_of(progress, len(targets)), strict=True):
        seen = measure_target(segmenter, target, part)
        shown = shown or seen
        rows.append(
            (
                dice(target.mask_kji, seen.prediction.mask.array_kji),
                (seen.consistency.agreement or 0.0) * bool(seen.prediction.mask.array_kji.any()),
                np.nan if seen.consistency.intersection is None else seen.consistency.intersection,
            )
        )
    assert shown is not None, "there is one object at least"
    columns = [[v for v in column if not np.isnan(v)] for column in zip(*rows, strict=True)]
    means = [float(np.mean(column)) if column else float("nan") for column in columns]
    return dict(zip(SCORES, means, strict=True)), shown


def find_hot_voxels(
    segmenter: PlanarSegmenter, target: TrainedObject, progress: Progress
) -> Voxels:
    """The voxels (n, 3) of an object where the planes disagree."""
    seen = measure_target(segmenter, target, progress)
    own = target.mask_kji[seen.consistency.region.slices]
    found = np.argwhere((seen.consistency.disagreement_kji > _HOT) & own)
    return thinned(found + np.array(seen.consistency.region.start_kji))
