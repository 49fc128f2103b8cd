"""Predictions reduced to what a client needs."""

from __future__ import annotations

import numpy as np

from ..consistency import Consistency
from ..consistency.lower_bound import LowerBound
from ..segmenter import Prediction
from ..volumes.masks import bounding_box
from ..volumes.region import Region
from .events import Answer


def make_answer(
    prediction: Prediction,
    consistency: Consistency | None = None,
    bound: LowerBound | None = None,
) -> Answer:
    """The mask of a prediction, cropped to the object, and how good it is; see `Answer`."""
    inside = prediction.logits_kji > 0
    box = bounding_box(inside)
    if box is None:
        nothing = np.zeros((0, 0, 0), np.uint8)
        return Answer(
            prediction.offset_kji,
            nothing,
            consistency,
            bound,
            prediction.region,
            prediction.question,
        )
    offset = Region.from_slices(box).shifted(prediction.offset_kji).start_kji
    mask = np.ascontiguousarray(inside[box]).view(np.uint8)
    return Answer(offset, mask, consistency, bound, prediction.region)
