"""What a worker keeps between requests, and which work it may go on with."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from worker_helpers import one_box, small_volume

from MedSegFMLib import Box, Geometry, Point, Volume
from MedSegFMLib.errors import ModelError
from MedSegFMLib.models import ellipsoid
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.volumes.images import combined
from MedSegFMLib.worker import model_host as model_host_module
from MedSegFMLib.worker.cost_meter import CostMeter
from MedSegFMLib.worker.events import Request
from MedSegFMLib.worker.model_host import ModelHost


def test_a_comparison_tells_of_the_same_answer_and_is_no_step_to_the_next() -> None:
    volume, host = small_volume(), ModelHost()
    host.put(volume)
    prompts = one_box(volume)
    plain = Request("ensam", prompts, "cpu")
    compared = replace(plain, consistency=True)
    (first,) = host.predict(plain, no_progress, pytest.fail)[0].values()
    (second,) = host.predict(compared, no_progress, pytest.fail)[0].values()
    assert first.consistency is None and second.consistency is not None
    assert (first.mask_kji == second.mask_kji).all() and first.offset_kji == second.offset_kji
    assert list(second.consistency.masks) == ["axial", "coronal", "sagittal"]
    later = replace(plain, prompts=prompts.added(1, Point.from_ijk(volume.geometry, (5, 5, 4))))
    assert host.continues(plain, later), "the model goes on from its answer to the box"
    assert not host.continues(compared, later), "a new click need not wait for a comparison"


def test_the_bound_of_an_object_follows_from_its_own_prompts_alone() -> None:
    k, j, i = np.ogrid[:32, :32, :32]
    inside = (k - 16) ** 2 + (j - 16) ** 2 + (i - 16) ** 2 <= 49
    noise = np.random.default_rng(0).normal(0, 5, inside.shape)
    geometry = Geometry.from_spacing(inside.shape)
    host = ModelHost()
    host.put(Volume((100 * inside + noise).astype(np.float32), geometry))
    prompts = PromptList().with_object("ball").with_object("other")
    prompts = prompts.added(1, Box.from_ijk(geometry, (8, 8, 8), (25, 25, 25)))
    alone = host.predict(Request("ensam", prompts, "cpu"), no_progress, pytest.fail)[0][1]
    assert alone.lower_bound is not None and alone.lower_bound.value is not None
    for place in ((2, 2, 2), (2, 2, 9), (2, 9, 2)):
        prompts = prompts.added(2, Point.from_ijk(geometry, place))
    beside = host.predict(Request("ensam", prompts, "cpu"), no_progress, pytest.fail)[0][1]
    # The clicks still are background for the ball, which changes its probabilities a little.
    assert beside.lower_bound is not None
    assert beside.lower_bound.value == pytest.approx(alone.lower_bound.value, abs=0.01)


def test_images_that_a_model_does_not_use_are_said_once() -> None:
    volume, host = small_volume(), ModelHost()
    host.put(combined({"pet": volume.with_array(volume.array_kji[::-1]), "ct": volume}, "ct"))
    notes: list[str] = []
    request = Request("ellipsoid", one_box(volume), "cpu")
    (answer,) = host.predict(request, no_progress, notes.append)[0].values()
    host.predict(request, no_progress, notes.append)
    assert len(notes) == 1 and "uses ct, not pet" in notes[0]
    host.put(volume)
    (alone,) = host.predict(request, no_progress, pytest.fail)[0].values()
    assert np.array_equal(answer.mask_kji, alone.mask_kji)


def test_without_a_volume_nothing_is_predicted() -> None:
    request = Request("randomwalk", one_box(small_volume()), "cpu")
    with pytest.raises(ModelError, match="no volume"):
        ModelHost().predict(request, no_progress, pytest.fail)


def test_a_request_that_clears_the_cache_costs_what_the_first_one_did() -> None:
    volume, host = small_volume(), ModelHost()
    host.put(volume)
    request = Request("ensam", one_box(volume), "cpu")
    _, first = host.predict(request, no_progress, pytest.fail)
    # The least of some, since a busy machine may interrupt any of them.
    known, *more = (host.predict(request, no_progress, pytest.fail)[1] for _ in range(5))
    _, cleared = host.predict(replace(request, clear_cache=True), no_progress, pytest.fail)
    assert first.loading_seconds > 0 and known.loading_seconds == cleared.loading_seconds == 0
    known_seconds = min(cost.seconds for cost in (known, *more))
    assert cleared.seconds > 5 * known_seconds, "an answer that is known takes no time"
    assert (not first.on_gpu and first.peak_bytes > 1 << 24) or sys.platform == "win32"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is that of the process")
def test_the_peak_of_a_model_holds_nothing_of_the_one_before(monkeypatch: Any) -> None:
    volume, host = small_volume(), ModelHost()

    def create(name: str, device: str) -> Any:
        model: Any = ellipsoid.create(device)
        model.ballast = np.ones(400_000_000 if name == "large" else 1, np.uint8)
        return model

    monkeypatch.setattr(model_host_module, "create", create)
    host.put(volume)
    large, small = (
        host.predict(Request(name, one_box(volume), "cpu"), no_progress, pytest.fail)[1]
        for name in ("large", "small")
    )
    assert large.peak_bytes - small.peak_bytes > 300_000_000


class Gpus:
    """`torch.cuda` of two GPUs, which tells no peak before something ran on one."""

    def __init__(self) -> None:
        self.ready = False
        self.peaks = [10, 20]

    def is_initialized(self) -> bool:
        return self.ready

    def device_count(self) -> int:
        return len(self.peaks)

    def reset_peak_memory_stats(self, gpu: Any) -> None:
        assert self.ready, "did you call init?"
        self.peaks[gpu.index] = 0

    def max_memory_allocated(self, gpu: Any) -> int:
        return self.peaks[gpu.index]


def test_memory_is_that_of_the_gpus_once_one_was_used(monkeypatch: Any) -> None:
    gpus = Gpus()
    torch = SimpleNamespace(
        cuda=gpus, device=lambda kind, number: SimpleNamespace(type=kind, index=number)
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert not CostMeter().cost().on_gpu, "torch is there, and the model ran on the CPU"
    gpus.ready = True
    meter = CostMeter()
    gpus.peaks[1] = 7
    cost = meter.cost()
    assert cost.on_gpu and cost.peak_bytes == 7
