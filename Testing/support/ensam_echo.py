"""ENSAM around a runtime that answers with the image that it gets, and volumes for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from MedSegFMLib.models.ensam.model import EnsamSegmenter
from MedSegFMLib.models.ensam.network.config import EnsamConfig
from MedSegFMLib.models.ensam.runtime import Features
from MedSegFMLib.progress import no_progress
from MedSegFMLib.segmenter import Prediction
from MedSegFMLib.volumes.geometry import Geometry
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.volume import Volume

CELLS = 16


class Echoed(Features):
    def __init__(self, image: Any) -> None:
        super().__init__(image.nbytes)
        self.image = image


class Echo:
    """A runtime whose logits are a function of the image; keeps what the first look was given."""

    def __init__(
        self, answer: Callable[[Any], Any] = lambda image: image, cells: int = CELLS
    ) -> None:
        self.config = EnsamConfig(cells=cells)
        self.answer = answer
        self.spacing: Sequence[float] = ()
        self.previous: Any = None
        self.prompts: Any = None

    def encode(self, image: Any, spacing_kji_mm: Sequence[float], progress: Any) -> Any:
        self.spacing = self.spacing or spacing_kji_mm
        return Echoed(image)

    def decode(self, features: Any, prompts: Any, previous_logits: Any, progress: Any) -> Any:
        if self.prompts is None:
            self.previous, self.prompts = previous_logits, prompts
        return self.answer(features.image)


def ramp_volume(shape_kji: tuple[int, int, int], axis: int = 0) -> Volume:
    """Voxels that grow linearly along one axis, from 0 to 1 but for the percentiles."""
    ramp = np.linspace(0, 1, shape_kji[axis], dtype=np.float32)
    array = np.broadcast_to(np.moveaxis(ramp[:, None, None], 0, axis), shape_kji)
    return Volume(np.array(array), Geometry.from_spacing(shape_kji, (0.7, 0.8, 2.5)))


def noise_volume(shape_kji: tuple[int, int, int]) -> Volume:
    array = np.random.default_rng(0).normal(100, 20, shape_kji).astype(np.float32)
    return Volume(array, Geometry.from_spacing(shape_kji, (0.7, 0.8, 2.5), origin_ras=(5, -3, 40)))


def predict(
    model: EnsamSegmenter, volume: Volume, prompts: Sequence[Any], region: Region | None = None
) -> Prediction:
    return model.predict(model.encode(volume, region, no_progress), prompts, None, no_progress)
