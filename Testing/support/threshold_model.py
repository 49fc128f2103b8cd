"""A model for which bright voxels are the object; it counts what it is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from MedSegFMLib import Prediction, Prompt, Region, Volume
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Encoding, ModelCard, RegionRule

CARD = ModelCard(
    name="threshold",
    title="Threshold",
    summary="Bright voxels in the box, or the bright voxels near a click.",
    prompts=("box", "point"),
    modalities=("any",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence=None,
    region_rule=RegionRule(2, 0.0, 2, shared=False),
)


class Threshold:
    """Above 50 is foreground, but for background marks; counts what it is asked."""

    classes = ()

    def __init__(self, **changes: object) -> None:
        self.card = dataclasses.replace(CARD, **changes)  # type: ignore[arg-type]
        self.encoded: list[Region] = []
        self.predicted: list[tuple[Prompt, ...]] = []

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        assert region is not None
        self.encoded.append(region)
        progress(1, "encoded")
        self.volume = volume
        return Encoding(volume.geometry, region, 1000)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        self.predicted.append(tuple(prompts))
        progress(1, "predicted")
        logits = self.volume.array_kji[encoding.region.slices].astype(np.float32) - 50
        if self.card.uses_previous and previous is not None:
            logits = logits + 1
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        logits[tuple(marks.background_kji.T)] = -1
        logits[tuple(marks.foreground_kji.T)] = 1
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)
