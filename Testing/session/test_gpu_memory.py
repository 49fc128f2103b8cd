"""A GPU without enough memory: a smaller region first, with a note, and only then the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from MedSegFMLib import Box, Geometry, Point, Session, Text, Volume
from MedSegFMLib.errors import DeviceError
from MedSegFMLib.models import ellipsoid
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.registry import MODELS
from MedSegFMLib.segmenter import Encoding, Prediction, RegionRule
from MedSegFMLib.system.foreign_errors import predicting_errors
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.worker.events import Request
from MedSegFMLib.worker.model_host import ModelHost

SHAPE = (40, 60, 60)


class FakeGpu:
    """A device for regions of a number of voxels, which raises torch's own error beyond it."""

    def __init__(self, most_voxels: int, message: str = "CUDA out of memory") -> None:
        self.most_voxels = most_voxels
        self.message = message
        self.tried: list[Region] = []

    def hold(self, region: Region) -> None:
        self.tried.append(region)
        if region.size > self.most_voxels:
            if self.message.startswith("MPS"):
                raise RuntimeError(self.message)
            raise torch.cuda.OutOfMemoryError(self.message)


class OnGpu:
    """A model on it, which finds a voxel in the middle of its region, or all of it."""

    classes: tuple[str, ...] = ()

    def __init__(self, gpu: FakeGpu, grows: bool = False) -> None:
        self.gpu = gpu
        self.grows = grows
        self.card = replace(
            ellipsoid.CARD,
            name="fake",
            title="Fake",
            prompts=("box", "point", "text"),
            packages=("torch",),
            region_rule=RegionRule(20, 0.0, 5 if grows else 30, shared=False),
        )

    def encode(self, volume: Volume, region: Region | None, progress: Any) -> Encoding:
        region = region or Region.whole(volume.geometry.shape_kji)
        with predicting_errors("fake"):
            self.gpu.hold(region)
        return Encoding(volume.geometry, region, 1)

    def predict(
        self, encoding: Encoding, prompts: Sequence[Any], previous: Any, progress: Any
    ) -> Prediction:
        progress(1.0, "Predicting")
        shape = encoding.region.shape_kji
        inside = np.ones(shape, np.float32)
        if not self.grows:
            inside = np.full(shape, -1, np.float32)
            inside[tuple(n // 2 for n in shape)] = 1
        return Prediction(encoding.geometry, encoding.region.start_kji, inside)


@pytest.fixture
def volume() -> Volume:
    geometry = Geometry.from_spacing(SHAPE, (1, 1, 1))
    return Volume(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), geometry)


def box_of(volume: Volume) -> Box:
    return Box.from_ijk(volume.geometry, (20, 20, 15), (40, 40, 25))


@pytest.mark.parametrize("message", ["CUDA out of memory", "MPS backend out of memory (MPS …)"])
def test_a_full_gpu_gets_smaller_regions_around_the_prompts(volume: Volume, message: str) -> None:
    gpu, notes = FakeGpu(20_000, message), []
    session = Session(OnGpu(gpu), volume, note=notes.append)
    session.add(box_of(volume))
    answer = session.predict()
    sizes = [region.size for region in gpu.tried]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 100_000 and sizes[-1] <= 20_000
    box = Region((15, 20, 20), (25, 40, 40))
    assert all(region.contains(box) for region in gpu.tried) and answer.region == gpu.tried[-1]
    assert len(notes) == len(sizes) - 1
    assert (
        "The GPU has no memory left for a region of 60 x 60 x 40 voxels, so Fake sees" in notes[0]
    )


def test_further_prompts_do_not_try_what_did_not_fit(volume: Volume) -> None:
    gpu, notes = FakeGpu(20_000), []
    session = Session(OnGpu(gpu), volume, note=notes.append)
    session.add(box_of(volume))
    session.predict()
    before = len(gpu.tried)
    failed = min(region.size for region in gpu.tried if region.size > 20_000)
    session.add_object()
    session.add(Box.from_ijk(volume.geometry, (25, 25, 17), (35, 36, 24)))
    session.predict_all()
    assert len(gpu.tried) > before and "region of 50 x 51 x 40 voxels" in notes[2]
    assert all(region.size < failed for region in gpu.tried[before:])


def test_a_region_that_grew_too_large_keeps_the_answer_before(volume: Volume) -> None:
    gpu, notes = FakeGpu(20_000), []
    session = Session(OnGpu(gpu, grows=True), volume, note=notes.append)
    session.add(Point.from_ijk(volume.geometry, (30, 30, 20)))
    answer = session.predict()
    assert len(notes) == 1 and answer.region.size <= 20_000 < gpu.tried[-1].size
    assert answer.region in gpu.tried


def test_prompts_that_are_everywhere_or_do_not_fit_alone_raise_the_error(volume: Volume) -> None:
    for prompt in (Text("all"), box_of(volume)):
        notes: list[str] = []
        session = Session(OnGpu(FakeGpu(100)), volume, note=notes.append)
        session.add(prompt)
        with pytest.raises(DeviceError, match="GPU has not enough memory"):
            session.predict()
        assert bool(notes) == isinstance(prompt, Box)


def test_other_errors_of_the_device_are_raised_at_once(volume: Volume) -> None:
    model: Any = OnGpu(FakeGpu(10**9))

    def broken(region: Region) -> None:
        raise MemoryError("the computer's")

    model.gpu.hold = broken
    session = Session(model, volume, note=pytest.fail)
    session.add(box_of(volume))
    with pytest.raises(DeviceError, match="The computer has not enough memory"):
        session.predict()


@pytest.mark.parametrize(("most", "on_cpu"), [(20_000, False), (100, True)])
def test_a_worker_tries_smaller_regions_before_the_cpu_and_says_both(
    most: int, on_cpu: bool, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[str] = []

    def load(request: Request, device: str) -> OnGpu:
        created.append(device)
        return OnGpu(FakeGpu(10**9 if device == "cpu" else most))

    monkeypatch.setattr("MedSegFMLib.worker.model_host._load", load)
    name = next(iter(MODELS))
    prompts = PromptList().with_object("a")
    request = Request(name, prompts.added(prompts.labels[0], box_of(volume)), "gpu")
    host, notes = ModelHost(), []
    host.put(volume)
    answers, _ = host.predict(request, no_progress, notes.append)
    assert answers and created == (["gpu", "cpu"] if on_cpu else ["gpu"])
    assert "no memory left for a region" in notes[0]
    assert ("so it runs on the CPU" in notes[-1]) == on_cpu
