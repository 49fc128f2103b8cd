"""A model that notes what it was given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedSegFMLib import Geometry, Prediction, Prompt, Region, Volume
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.voxels import enforce_marks, to_voxels
from MedSegFMLib.segmenter import Encoding, ModelCard, RegionRule


class Bright:
    """Takes what is bright for the object, but for its marks; notes what it was given."""

    classes = ()

    def __init__(self, starts_from: str = "prompts", prompts: Sequence[str] = ()) -> None:
        self.card = ModelCard(
            name="bright",
            title="Bright",
            summary=".",
            prompts=tuple(prompts) or ("box", "point", "scribble", "mask"),
            modalities=("any",),
            dimensions=3,
            code_licence="",
            weights_licence=None,
            region_rule=RegionRule(2, 0.25, 3, shared=False),
            uses_previous=starts_from == "previous",
            starts_from=starts_from,  # type: ignore[arg-type]
        )
        self.given: list[tuple[tuple[Prompt, ...], Prediction | None]] = []
        self.grids: list[Geometry] = []

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        self.volume = volume
        self.grids.append(volume.geometry)
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 8)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        self.card.check_takes(prompts)
        self.given.append((tuple(prompts), previous))
        logits = np.where(self.volume.array_kji[encoding.region.slices] > 50, 2, -2)
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        for k, j, i in marks.background_kji:
            logits[max(k - 1, 0) : k + 2, max(j - 1, 0) : j + 2, max(i - 1, 0) : i + 2] = -3
        logits = logits.astype(np.float32)
        enforce_marks(logits, marks, 1)
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)
