"""Predictions cut down to what a client needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..masks import bounding_box
from ..region import Region
from ..segmenter import Prediction
from .events import Answer, Floats

_LARGEST_FLOAT16 = float(np.finfo(np.float16).max)


def answer_of(prediction: Prediction, extras: Sequence[str]) -> Answer:
    """The mask of a prediction, and what `extras` ask for: see `Answer`."""
    inside = prediction.logits_kji > 0
    if "logits" in extras or "planes" in extras:
        planes = prediction.planes if "planes" in extras else None
        logits = prediction.logits_kji if "logits" in extras else None
        return Answer(
            prediction.offset_kji,
            inside.view(np.uint8),
            None if logits is None else _half(logits),
            None if planes is None else (_half(planes[0]), _half(planes[1]), _half(planes[2])),
        )
    box = bounding_box(inside)
    if box is None:
        return Answer(prediction.offset_kji, np.zeros((0, 0, 0), np.uint8))
    offset = Region.from_slices(box).shifted(prediction.offset_kji).start_kji
    return Answer(offset, np.ascontiguousarray(inside[box]).view(np.uint8))


def _half(array: Floats) -> Floats:
    """float16, with what it cannot hold at its ends."""
    return np.asarray(np.clip(array, -_LARGEST_FLOAT16, _LARGEST_FLOAT16).astype(np.float16))
