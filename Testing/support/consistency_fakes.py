"""Models whose three planes are known beforehand, and answers put together by hand."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from MedSegFMLib import Geometry, Volume, registry
from MedSegFMLib.models import ellipsoid
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Encoding, Prediction, RegionRule, probabilities
from MedSegFMLib.volumes.region import Region

CARD = replace(
    ellipsoid.CARD,
    name="fake",
    prompts=("box", "point", "scribble"),
    region_rule=RegionRule(
        margin_voxels=4, margin_fraction=0.0, click_radius_voxels=4, shared=False
    ),
)


class Fake:
    """A model that sees volumes. By default it takes what is brighter than 50.

    encoded: the volume's geometry at each pass of the encoder.
    """

    card = CARD
    classes = ()

    def __init__(self) -> None:
        self.encoded: list[Geometry] = []
        self._volumes: dict[Geometry, Volume] = {}

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        progress(0.5, "encoding")
        self.encoded.append(volume.geometry)
        self._volumes[volume.geometry] = volume
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 1)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        progress(0.5, "predicting")
        part = self._volumes[encoding.geometry].array_kji[encoding.region.slices]
        logits = self.logits(part, encoding, prompts)
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)

    def logits(self, part: np.ndarray, encoding: Encoding, prompts: Sequence[Prompt]) -> np.ndarray:
        return (part - 50).astype(np.float32)


class Liner(Fake):
    """Takes the line through each click on the object that runs along the first array axis."""

    def logits(self, part: np.ndarray, encoding: Encoding, prompts: Sequence[Prompt]) -> np.ndarray:
        logits = np.full(part.shape, -40, dtype=np.float32)
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        for _, j, i in marks.foreground_kji:
            logits[:, j, i] = 40
        return logits


class Planar(Fake):
    """Gives two planes itself."""

    def predict(self, *given: object) -> Prediction:
        answer = super().predict(*given)  # type: ignore[arg-type]
        half = np.full(answer.logits_kji.shape, 0.5, dtype=np.float32)
        return replace(answer, planes={"axial": half, "coronal": half})


class Sliced(Fake):
    """Sees the same in each of its three planes."""

    def predict(self, *given: object) -> Prediction:
        answer = super().predict(*given)  # type: ignore[arg-type]
        seen = probabilities(answer.logits_kji)
        return replace(answer, planes=dict.fromkeys(("axial", "coronal", "sagittal"), seen))


def register(monkeypatch: pytest.MonkeyPatch, fake: type[Fake]) -> str:
    """Make a model known to the registry for the length of a test; returns its name."""
    module = types.ModuleType("medsegfm_fake_model")
    module.CARD = CARD  # type: ignore[attr-defined]
    module.create = lambda device="auto": fake()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.MODELS, CARD.name, module.__name__)  # type: ignore[arg-type]
    return CARD.name


def smooth_noise(shape: Sequence[int], seed: int) -> np.ndarray:
    """float32, 0 to 1, in blobs of some voxels."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)
    return (1 / (1 + np.exp(-20 * noise))).astype(np.float32)


def answer_of(
    geometry: Geometry, planes: Mapping[str, np.ndarray], offset: Sequence[int] = (0, 0, 0)
) -> Prediction:
    """The answer where the mean of some planes is above a half."""
    mean = np.mean(list(planes.values()), axis=0, dtype=np.float32)
    return Prediction(geometry, tuple(offset), mean - np.float32(0.5), dict(planes))  # type: ignore[arg-type]


def noisy_answer(geometry: Geometry, count: int = 3) -> Prediction:
    """Planes of smooth noise, which mostly disagree, two voxels inside the volume."""
    shape = [max(1, n - 4) for n in geometry.shape_kji]
    offset = [(n - m) // 2 for n, m in zip(geometry.shape_kji, shape, strict=True)]
    names = ("axial", "coronal", "sagittal")[:count]
    return answer_of(geometry, {n: smooth_noise(shape, k) for k, n in enumerate(names)}, offset)
