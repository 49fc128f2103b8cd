"""Losses, clicks, schedule, optimisers, checkpoint parts, log: each against what is known."""

from __future__ import annotations

import logging
import math
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MedSegFMLib.errors import OutputError, TrainingError
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.train import checkpoint, run_log
from MedSegFMLib.train.checkpoint import LARGEST_FILE_BYTES, Checkpoint
from MedSegFMLib.train.counters import Counters
from MedSegFMLib.train.log import BOARD_FOLDER, FILE, TrainingLog, read_log
from MedSegFMLib.train.losses import segmentation_loss, soft_dice
from MedSegFMLib.train.recipes.ensam import preview
from MedSegFMLib.train.recipes.ensam.clicks import deepest, next_clicks
from MedSegFMLib.train.recipes.ensam.optimisers import MatrixMuon, build_optimisers
from MedSegFMLib.train.recipes.ensam.samples import Batch
from MedSegFMLib.train.schedule import BudgetSchedule, StepSchedule
from MedSegFMLib.train.throughput import ThroughputMeter


def grid(*voxels: tuple[int, int, int], side: int = 9) -> torch.Tensor:
    array = torch.zeros(1, 1, side, side, side)
    for k, j, i in voxels:
        array[0, 0, k, j, i] = 1
    return array


def cube(start: int, stop: int, side: int = 9) -> torch.Tensor:
    array = torch.zeros(1, 1, side, side, side)
    array[0, 0, start:stop, start:stop, start:stop] = 1
    return array


# A random number below 1 never outweighs a whole layer.
NOISE = torch.rand(1, 1, 9, 9, 9, generator=torch.Generator().manual_seed(0))


def test_dice_of_two_voxels_that_share_one() -> None:
    truth, answer = grid((0, 0, 0), (0, 0, 1)), grid((0, 0, 1), (0, 0, 2))
    # 2 * 1 + 1 over 2 + 2 + 1.
    assert float(soft_dice(answer, truth)) == pytest.approx(3 / 5)


def test_both_masks_empty_have_dice_one() -> None:
    assert float(soft_dice(grid(), grid())) == 1


def test_loss_of_undecided_logits_is_that_by_hand() -> None:
    truth = torch.zeros(1, 1, 2, 2, 2)
    truth[..., 0] = 1
    # Probabilities 1/2: Dice (2 * 2 + 1) / (4 + 4 + 1), cross-entropy ln 2.
    expected = 1 - 5 / 9 + 2 * math.log(2)
    assert float(segmentation_loss(torch.zeros_like(truth), truth)) == pytest.approx(expected)


def test_loss_of_the_right_answer_is_nearly_nothing() -> None:
    truth = cube(2, 6)
    assert float(segmentation_loss(40 * truth - 20, truth)) < 1e-3


def test_the_deepest_voxel_of_a_cube_is_its_centre() -> None:
    assert deepest(cube(2, 7) > 0, NOISE).tolist() == [[4, 4, 4]]


def test_a_missing_part_is_clicked_as_object() -> None:
    truth = cube(1, 8)
    answer = truth.clone()
    answer[0, 0, 1:4] = 0
    voxels, positive = next_clicks(20 * answer - 10, truth, NOISE)
    assert positive.tolist() == [True] and voxels[0, 0] == 2


def test_what_is_too_much_is_clicked_as_background() -> None:
    answer = cube(1, 4) + cube(5, 8)
    voxels, positive = next_clicks(20 * answer - 10, cube(1, 4), NOISE)
    assert positive.tolist() == [False] and voxels.tolist() == [[6, 6, 6]]


def test_a_right_answer_is_clicked_inside_the_object() -> None:
    truth = cube(2, 7)
    voxels, positive = next_clicks(20 * truth - 10, truth, NOISE)
    assert positive.tolist() == [True] and voxels.tolist() == [[4, 4, 4]]


@given(st.integers(0, 2**32 - 1))
def test_a_click_falls_into_the_error_on_its_side(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    truth, answer, noise = (torch.rand(3, 1, 6, 7, 8, generator=random) for _ in range(3))
    truth = (truth > 0.6).float()
    voxels, positive = next_clicks(answer - 0.5, truth, noise)
    for number, (k, j, i) in enumerate(voxels.tolist()):
        assert bool(truth[number, 0, k, j, i]) == bool(positive[number])
        assert (float(answer[number, 0, k, j, i]) > 0.5) != bool(positive[number])


def test_the_budget_of_a_call_is_what_ends_first() -> None:
    begun = Counters(samples=1000, minutes=60)

    def used(minutes_given: float, samples_given: int, minutes: float, samples: int) -> float:
        now = Counters(samples=1000 + samples, minutes=60 + minutes)
        return BudgetSchedule(minutes_given, samples_given, 0, 0).used(now, begun)

    assert used(10, 0, 5, 10**9) == 0.5
    assert used(0, 100, 10**9, 25) == 0.25
    assert used(10, 100, 5, 75) == 0.75
    assert used(10, 100, 11, 75) >= 1


def test_the_rate_of_a_call_rises_stays_and_falls_to_nothing() -> None:
    pace = BudgetSchedule(10, 0, 10, 0.2)
    first, tenth, late = (Counters(steps=steps) for steps in (0, 9, 500))
    assert pace.factor(first, 0) == pytest.approx(0.1)
    assert pace.factor(tenth, 0.1) == pace.factor(late, 0.7) == 1
    assert pace.factor(late, 0.9) == pytest.approx(0.5)
    assert pace.factor(late, 1) == pace.factor(late, 1.3) == 0
    assert pace.keeps(0.8) and not pace.keeps(0.81)
    level = BudgetSchedule(10, 0, 0, 0)
    assert level.factor(late, 0.99) == level.factor(first, 0) == 1 and level.keeps(0.99)


def test_the_rate_of_a_whole_run_falls_as_its_shape_says() -> None:
    half, nearly = Counters(steps=50), Counters(steps=99)
    assert StepSchedule(100, 0, "level").factor(nearly, 0.99) == 1
    assert StepSchedule(100, 0, "poly").factor(half, 0.5) == pytest.approx(0.5**0.9)
    assert StepSchedule(100, 0, "cosine").factor(half, 0.5) == pytest.approx(0.5)
    assert StepSchedule(100, 200, "level").factor(half, 0.5) == pytest.approx(51 / 200)
    # In however many calls.
    assert StepSchedule(100, 0, "poly").used(half, Counters(steps=40)) == 0.5


def test_muon_turns_the_parameters_themselves() -> None:
    network = Ensam()
    muon, adam = build_optimisers(network, True, 1e-2, 0.0)
    assert isinstance(muon, MatrixMuon)
    held = [p for o in (muon, adam) for group in o.param_groups for p in group["params"]]
    pointers = sorted(p.data_ptr() for p in network.parameters())
    assert sorted(p.data_ptr() for p in held) == pointers
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    for optimiser in (muon, adam):
        optimiser.step()
        optimiser.zero_grad()
    for name, parameter in network.named_parameters():
        assert not torch.equal(parameter, before[name]), name
        assert parameter.grad is None


def test_adam_alone_takes_all() -> None:
    network = Ensam()
    (adam,) = build_optimisers(network, False, 1e-3, 0.0)
    count = sum(len(group["params"]) for group in adam.param_groups)
    assert count == len(list(network.parameters()))


def saved(folder: Path, value: float = 1.0) -> None:
    state = {"state": {0: {"step": torch.tensor(value)}}, "param_groups": [{"params": [0]}]}
    checkpoint.save(folder, Checkpoint({"a.b": torch.full((3,), value)}, [state], {"n": 7}))


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None
    for value in (1.0, 2.0):
        saved(tmp_path, value)
    found = checkpoint.load(tmp_path)
    assert found is not None and found.counters == {"n": 7}
    assert found.network["a.b"].tolist() == [2, 2, 2]
    assert float(found.optimisers[0]["state"][0]["step"]) == 2
    assert found.optimisers[0]["param_groups"] == [{"params": [0]}]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncated", "missing", "no JSON", "another version", "a list"])
def test_a_damaged_checkpoint_is_refused_by_name(damage: str, tmp_path: Path) -> None:
    saved(tmp_path)
    (part,) = tmp_path.glob("*.safetensors")
    index = tmp_path / "checkpoint.json"
    if damage == "truncated":
        part.write_bytes(part.read_bytes()[:-8])
    elif damage == "missing":
        part.unlink()
    elif damage == "no JSON":
        index.write_text("{")
    elif damage == "a list":
        index.write_text("[]")
    else:
        index.write_text(index.read_text(encoding="utf-8").replace('"version": 1', '"version": 9'))
    with pytest.raises(TrainingError, match=tmp_path.name):
        checkpoint.load(tmp_path)


@given(st.lists(st.integers(1, LARGEST_FILE_BYTES), max_size=12))
def test_parts_of_a_checkpoint_stay_small(sizes: list[int]) -> None:
    # Nothing is filled: one byte, seen many times.
    tensors = {str(n): torch.empty(1, dtype=torch.uint8).expand(s) for n, s in enumerate(sizes)}
    parts = checkpoint._parts(tensors)
    assert [name for part in parts for name in part] == list(tensors)
    assert all(sum(t.nbytes for t in part.values()) <= LARGEST_FILE_BYTES for part in parts)


@contextmanager
def full_disk(most_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    saved(tmp_path)
    big = Checkpoint({"a": torch.zeros(100_000)}, [], {})
    with full_disk(50_000), pytest.raises(OutputError, match="could not be written"):
        checkpoint.save(tmp_path, big)
    found = checkpoint.load(tmp_path)
    assert found is not None and found.network["a.b"].tolist() == [1, 1, 1]


def test_rows_of_a_lost_run_are_dropped_from_the_log(tmp_path: Path) -> None:
    for samples, values in ((0, (10, 20, 30)), (20, (40,))):
        log = TrainingLog(tmp_path, samples)
        for value in values:
            log.write(value, value / 10, loss=value / 100)
        log.close()
    rows = [
        (row["samples"], row["minutes"], row["name"], row["value"]) for row in read_log(tmp_path)
    ]
    assert rows == [(n, n / 10, "loss", n / 100) for n in (10, 20, 40)]


def test_a_row_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("samples,minutes,name,value\n1,0.5,loss,2.0\n2,0.6,lo")
    assert [row["samples"] for row in read_log(tmp_path)] == [1]
    assert read_log(tmp_path / "nowhere") == []


def test_tensorboard_reads_the_log(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = TrainingLog(tmp_path, 0)
    log.write(8, 0.1, loss=0.5)
    log.close()
    events = accumulator.EventAccumulator(str(tmp_path / BOARD_FOLDER))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(8, 0.5)]


def test_the_log_does_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("MedSegFMLib.train.log.find_spec", lambda name: None)
    log = TrainingLog(tmp_path, 0)
    log.write(8, 0.1, loss=0.5)
    log.close()
    assert len(read_log(tmp_path)) == 1 and not (tmp_path / BOARD_FOLDER).exists()


def test_the_meter_tells_speed_and_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 14.0, 14.0])
    monkeypatch.setattr("MedSegFMLib.train.throughput.time.perf_counter", lambda: next(clock))
    meter = ThroughputMeter(100)
    meter.add({"loss": 1.0}, 0.5)
    meter.add({"loss": 2.0}, 0.5)
    assert meter.report(140) == {"loss": 1.5, "samples_per_second": 10, "waiting": 0.25}
    assert meter.empty


def test_a_preview_shows_objects_however_empty_the_answer(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    image = torch.from_numpy(np.random.default_rng(0).random((2, 1, 9, 9, 9), np.float32))
    target = torch.cat((cube(2, 6), torch.zeros(1, 1, 9, 9, 9)))
    batch = Batch(image, target, None, torch.tensor([[4.0, 1, 1], [1, 1, 1]]))
    path = tmp_path / run_log.PREVIEW_FILE
    preview.write_preview(path, batch, torch.full_like(image, -1), image - 0.5, "8 samples")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_log_says_that_nothing_is_drawn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nothing: Callable[[str], None] = lambda name: None  # noqa: E731
    monkeypatch.setattr("MedSegFMLib.train.run_log.find_spec", nothing)
    with caplog.at_level(logging.INFO):
        assert not run_log.can_draw()
    assert "matplotlib" in caplog.text
