"""Medical SAM3 around a network that sees brightness alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from MedSegFMLib.models.medical_sam3 import model as medical_sam3
from MedSegFMLib.models.medical_sam3.runtime import SliceAnswer, SliceQuestion
from MedSegFMLib.models.medical_sam3.segmenter import MedicalSam3Segmenter
from MedSegFMLib.progress import Progress

SIDE = 64


class Bright:
    """Bright pixels, within the box where there is one, for any words but "nothing"."""

    side = SIDE

    def __init__(self) -> None:
        self.looked = 0
        self.asked: list[SliceQuestion] = []

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        progress(0.0, "encoding")
        self.looked += len(images)
        return [image[0].reshape(-1, 1) for image in images]

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        questions: Sequence[SliceQuestion],
        threshold: float,
        progress: Progress,
    ) -> list[SliceAnswer]:
        self.asked.extend(questions)
        found = []
        for tokens, question in zip(features, questions, strict=True):
            logits = 8 * tokens.astype(np.float32).reshape(SIDE, SIDE)
            if question.box is not None:
                x, y, across, down = question.box
                rows, columns = ((np.arange(SIDE) + 0.5) / SIDE for _ in range(2))
                inside = (abs(rows - y) <= down / 2)[:, None] & (abs(columns - x) <= across / 2)
                logits = np.where(inside, logits, -8)
            there = (logits > 0).sum() > 8 and question.phrase != "nothing"
            score = 0.9 if there else 0.01
            found.append(SliceAnswer(score, logits if score >= threshold else None))
        return found


def segmenter(
    runtime: Bright, planes: Sequence[str] = ("axial",), **changes: Any
) -> MedicalSam3Segmenter:
    given = {"threshold": 0.1, "step_mm": 5.0, "cache_bytes": 1 << 26, **changes}
    return MedicalSam3Segmenter(medical_sam3.CARD, runtime, "reliable", planes, **given)
