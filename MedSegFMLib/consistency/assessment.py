"""How wrong a result is expected to be, as a whole and slice by slice, for a list of many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..segmenter import Prediction, probabilities
from .agreement import agreement
from .hot_spots import expected_error
from .measure import expected_dice

_MOST_SLICES = 10


@dataclass(frozen=True)
class SliceAssessment:
    """The expected error of an object in a slice.

    Attributes:
        k: the slice of the volume, from 0.
        wrong_voxels: the expected number of wrong voxels.
        expected_dice: of the slice; None if there is probably nothing in it.
    """

    k: int
    wrong_voxels: float
    expected_dice: float | None


@dataclass(frozen=True)
class Assessment:
    """The expected error of an object.

    Attributes:
        expected_dice: as in `Consistency`.
        agreement: likewise; None if planes were not compared.
        wrong_voxels: the expected number of wrong voxels.
        slices: the slices with the most, at most ten, by descending number.
    """

    expected_dice: float | None
    agreement: float | None
    wrong_voxels: float
    slices: tuple[SliceAssessment, ...]


def assess(prediction: Prediction) -> Assessment:
    """The expected error of a prediction from its planes, or else from its own probabilities."""
    planes = prediction.planes or {"own": probabilities(prediction.logits_kji)}
    mask = prediction.logits_kji > 0
    error = expected_error(planes, mask)
    by_slice = error.sum(axis=(1, 2), dtype=np.float64)
    worst = np.argsort(-by_slice, kind="stable")[:_MOST_SLICES]
    slices = tuple(
        SliceAssessment(
            int(k) + prediction.region.start_kji[0],
            float(by_slice[k]),
            expected_dice(error[k], mask[k]),
        )
        for k in worst
        if by_slice[k] > 0
    )
    agreed = agreement({name: plane > 0.5 for name, plane in prediction.planes.items()})
    return Assessment(expected_dice(error, mask), agreed, float(by_slice.sum()), slices)
