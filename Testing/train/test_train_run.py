"""Whole trainings, tiny: learning, exact resume, budgets, and several processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from cuboid_scenes import CUBOID, generators
from safetensors.torch import load_file
from waiting import GENEROUS_SECONDS

from MedSegFMLib.errors import (
    Cancelled,
    OutputError,
    TrainingError,
    VolumeError,
    WeightsError,
)
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.train import checkpoint
from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.log import read_log
from MedSegFMLib.train.loop import FAILED_BATCH
from MedSegFMLib.train.recipes.ensam.recipe import RESULT
from MedSegFMLib.train.recipes.ensam.samples import make_batch
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings
from MedSegFMLib.train.recipes.ensam.task import EnsamTask
from MedSegFMLib.train.run import train as train_by_name
from MedSegFMLib.train.run_log import PREVIEW_FILE as PREVIEW
from MedSegFMLib.train.step import step

ROOT = Path(__file__).resolve().parents[2]
Tiny = Callable[..., EnsamSettings]


def train(settings: EnsamSettings, progress: Progress = no_progress) -> Path:
    return train_by_name("ensam", settings, progress).path


def same_weights(*paths: Path) -> bool:
    first, *others = (load_file(str(path)) for path in paths)
    return all(torch.equal(first[name], other[name]) for other in others for name in first)


def counted(folder: Path) -> dict[str, Any]:
    found = checkpoint.load(folder)
    assert found is not None
    return dict(found.counters)


class After:
    """Progress that does something when it has been called so often."""

    def __init__(self, calls: int, action: Callable[[], None]) -> None:
        self.calls, self.action = calls, action

    def __call__(self, fraction: float, phrase: str) -> None:
        self.calls -= 1
        if self.calls == 0:
            self.action()


def cancel() -> None:
    raise Cancelled("stop")


def test_twenty_steps_on_one_object_lower_the_loss(tiny: Tiny) -> None:
    settings = tiny(samples=1, optimiser="adam")
    processes = Processes("cpu")
    task = EnsamTask(settings, processes)
    batches = repeat(make_batch(CUBOID, 24, 16, 1, True, generators()))
    losses = [step(task, batches, processes, 1, n, 1.0).values["loss"] for n in range(20)]
    assert losses[-1] < 0.75 * losses[0]


def test_a_run_in_two_halves_is_the_run_in_one_go(tiny: Tiny) -> None:
    whole = train(tiny("whole", samples=8))
    for _ in range(2):
        half = train(tiny("halves", samples=4))
    assert same_weights(whole, half)
    assert counted(half.parent)["samples"] == 8 and counted(half.parent)["steps"] == 4
    assert (half.parent / PREVIEW).is_file()
    files = list(half.parent.glob("checkpoint-*"))
    assert max(file.stat().st_size for file in files) < 16_000_000


def test_a_run_that_was_stopped_goes_on_exactly(tiny: Tiny) -> None:
    whole = train(tiny("whole", samples=8, accumulate=2, seed=3))
    stopped = tiny("stopped", samples=8, accumulate=2, seed=3)
    with pytest.raises(Cancelled):
        train(stopped, After(1, cancel))
    assert counted(stopped.out)["samples"] == 4
    assert not (stopped.out / RESULT).exists()
    assert same_weights(whole, train(tiny("stopped", samples=4, accumulate=2, seed=3)))


def test_a_stop_while_answers_are_scored_saves_what_was_learned(tiny: Tiny) -> None:
    def stop(fraction: float, phrase: str) -> None:
        if "Scoring" in phrase:
            cancel()

    middle = tiny("middle", samples=8, validate_samples=2, optimiser="adam")
    with pytest.raises(Cancelled):
        train(middle, stop)
    assert counted(middle.out)["samples"] == 2
    end = tiny("end", samples=4, optimiser="adam")
    with pytest.raises(Cancelled):
        train(end, stop)
    assert counted(end.out)["samples"] == 4 and not (end.out / RESULT).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_saves(number: signal.Signals, tiny: Tiny) -> None:
    settings = tiny(samples=100, optimiser="adam")
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        train(settings, After(2, lambda: os.kill(os.getpid(), number)))
    assert counted(settings.out)["samples"] == 4
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_ignored(tiny: Tiny) -> None:
    settings = tiny(samples=6, optimiser="adam")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        train(settings, After(2, lambda: os.kill(os.getpid(), signal.SIGINT)))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert counted(settings.out)["samples"] == 6


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tiny: Tiny) -> None:
    paths = [
        train(tiny(str(n), samples=2, optimiser="adam", seed=seed))
        for n, seed in enumerate((1, 1, 2))
    ]
    assert same_weights(*paths[:2]) and not same_weights(*paths[1:])


def test_a_budget_of_minutes_ends(tiny: Tiny) -> None:
    settings = tiny(minutes=0.05, optimiser="adam", save_minutes=0.001)
    train(settings)
    # The last step begins within the budget; on a busy machine it takes what it takes.
    assert 0.05 <= counted(settings.out)["minutes"] < 3


def test_the_cooldown_keeps_the_checkpoint_from_before_it(tiny: Tiny) -> None:
    settings = tiny(samples=8, cooldown=0.5, optimiser="adam", validate_samples=2)
    weights = train(settings)
    # Steps begin at 0, 1/4, 1/2 and 3/4 of the budget; at 3/4 the rate falls.
    assert counted(settings.out)["samples"] == 6
    found = checkpoint.load(settings.out)
    assert found is not None
    cooled = load_file(str(weights))
    assert any(not torch.equal(found.network[name], cooled[name]) for name in cooled)
    assert {row["samples"] for row in read_log(settings.out) if row["name"] == "dice_1"} == {
        *(2, 4, 6, 8)
    }


def test_a_checkpoint_of_another_network_or_optimiser_is_refused(tiny: Tiny) -> None:
    settings = tiny(samples=2, optimiser="adam")
    train(settings)
    for change in ({"positions": "liere"}, {"millimetres": True}, {"optimiser": "muon"}):
        (key,) = change
        with pytest.raises(TrainingError, match=f"{key} is .* has {key}="):
            train(tiny(**{"samples": 2, "optimiser": "adam", **change}))


def test_weights_are_a_start_for_other_cells(tiny: Tiny) -> None:
    weights = train(tiny("first", samples=2, optimiser="adam"))
    # Rates near 0 leave the weights where they were.
    second = train(tiny("second", samples=2, optimiser="adam", cells=24, start=weights, rate=1e-12))
    a, b = load_file(str(weights)), load_file(str(second))
    assert max(float((a[name] - b[name]).abs().max()) for name in a) < 1e-5
    with pytest.raises(TrainingError, match="positions=rope"):
        train(tiny("third", samples=2, start=weights, positions="liere"))
    with pytest.raises(WeightsError):
        train(tiny("fourth", samples=2, start=weights.with_name("none.safetensors")))


def test_what_cannot_be_trained_on_or_written_to_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"no\.npz"):
        train(tiny(samples=2, pack=tmp_path / "no.npz"))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        train(tiny("file", samples=2))


def test_a_loss_that_is_no_number_keeps_its_batch_and_what_came_before(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny(samples=2, optimiser="adam")
    train(settings)

    def nan(self: EnsamTask, *words: Any) -> dict[str, torch.Tensor]:
        return {"loss": torch.tensor(float("nan"))}

    monkeypatch.setattr(EnsamTask, "backward", nan)
    with pytest.raises(TrainingError, match=f"{FAILED_BATCH}.*lower rate"):
        train(settings)
    assert counted(settings.out)["samples"] == 2
    batch = load_file(str(settings.out / FAILED_BATCH))
    assert batch["image"].shape == (2, 1, 16, 16, 16) and "target" in batch


def test_two_processes_learn_what_one_learns_from_both_batches(
    tiny: Tiny, tiny_words: list[str], tmp_path: Path
) -> None:
    """All answers graded, so that each batch counts alike in both."""
    alone = train(tiny("alone", samples=4, accumulate=2, batch=1, graded=2, optimiser="adam"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [w for w in tiny_words if w.split("=")[0] not in ("batch", "graded")]
    words += [f"out={tmp_path / 'two'}", "samples=4", "batch=1", "graded=2", "optimiser=adam"]
    command = [sys.executable, "-m", "MedSegFMLib", "train", "ensam", *words]
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": "1",
    }
    running = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=GENEROUS_SECONDS)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert "after 4 samples" in said[0] and "samples" not in said[1]
    one, two = load_file(str(alone)), load_file(str(tmp_path / "two" / RESULT))
    torch.manual_seed(0)
    first = Ensam(tiny(samples=1).network()).state_dict()
    moved = sum(float((one[name] - first[name]).square().sum()) for name in one)
    apart = sum(float((one[name] - two[name]).square().sum()) for name in one)
    # Gradients are summed in another order, and what is nearly 0 counts in the first steps.
    assert apart < 0.01 * moved
    assert counted(tmp_path / "two")["batches"] == 4
