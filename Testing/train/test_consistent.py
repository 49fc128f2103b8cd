"""The recipe `consistent`: turned views come back, agreement beside the labels, and a whole run."""

from __future__ import annotations

from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sample_volumes import make_blob

from MedSegFMLib import Geometry, create
from MedSegFMLib.errors import TrainingError
from MedSegFMLib.progress import no_progress
from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.log import read_log
from MedSegFMLib.train.recipes.consistent import task as consistent_task
from MedSegFMLib.train.recipes.consistent.recipe import RESULT
from MedSegFMLib.train.recipes.consistent.settings import ConsistentSettings
from MedSegFMLib.train.recipes.consistent.task import ConsistentTask
from MedSegFMLib.train.recipes.consistent.unlabelled import open_unlabelled
from MedSegFMLib.train.recipes.consistent.views import _ORDERS, Turn, drawn_turn
from MedSegFMLib.train.recipes.ensam.samples import Batch
from MedSegFMLib.train.run import train
from MedSegFMLib.train.settings_text import described

TINY: dict[str, Any] = {
    "cells": 16,
    "scene_side": 24,
    "batch": 2,
    "clicks": 1,
    "graded": 1,
    "warmup": 2,
    "precision": "no",
    "device": "cpu",
    "threads": 1,
    "workers": 0,
    "cooldown": 0.0,
    "validation_objects": 1,
    "validate_samples": 1_000_000,
}


def made(tmp_path: Path, folder: str = "run", **changes: Any) -> ConsistentSettings:
    return ConsistentSettings(out=tmp_path / folder, **{**TINY, "ramp": 0, **changes})


def numbered() -> Batch:
    """A batch in which every cell has its own number, and the target is its box."""
    shape = (2, 1, 6, 7, 9)
    image = torch.arange(prod(shape), dtype=torch.float32).reshape(shape)
    boxes = torch.tensor([[[1.0, 0.0, 2.0], [3.0, 4.0, 5.0]], [[0.0, 2.0, 1.0], [1.0, 5.0, 3.0]]])
    target = torch.zeros_like(image)
    for n, (low, high) in enumerate(boxes.int().tolist()):
        k, j, i = (slice(a, b + 1) for a, b in zip(low, high, strict=True))
        target[n, 0, k, j, i] = 1
    return Batch(image, target, boxes, torch.tensor([[1.0, 2.0, 3.0]] * 2))


@pytest.mark.parametrize("order", _ORDERS, ids=str)
def test_a_turned_view_comes_back_and_its_box_is_around_the_same_cells(
    order: tuple[int, int, int],
) -> None:
    batch = numbered()
    for flags in product((False, True), repeat=3):
        turn = Turn(order, tuple(axis for axis in range(3) if flags[axis]))
        view = turn.of(batch)
        assert torch.equal(turn.back(view.image), batch.image)
        assert view.boxes_kji is not None
        for n, (low, high) in enumerate(view.boxes_kji.int().tolist()):
            k, j, i = (slice(a, b + 1) for a, b in zip(low, high, strict=True))
            inside = torch.zeros_like(view.target[n, 0])
            inside[k, j, i] = 1
            assert torch.equal(inside, view.target[n, 0])
        assert view.spacing_kji_mm[0].tolist() == [float(axis + 1) for axis in order]


def test_volumes_without_labels_need_a_network_of_cells(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="unlabelled= needs native=false"):
        made(tmp_path, samples=1, native=True, batch=1, unlabelled=tmp_path)


def test_views_never_have_the_order_of_the_volume() -> None:
    rng = np.random.default_rng(0)
    turns = [drawn_turn(rng) for _ in range(60)]
    assert {turn.order for turn in turns} == set(_ORDERS)
    assert {len(turn.reversed_axes) for turn in turns} == {0, 1, 2, 3}


def written(folder: Path) -> Path:
    folder.mkdir()
    for n in range(2):
        make_blob(Geometry.from_spacing((14, 20, 22), (1, 1, 2)), seed=n)[0].write(
            folder / f"{n}.nii.gz"
        )
    (folder / "notes.txt").write_text("not a volume", encoding="utf-8")
    return folder


def test_volumes_without_labels_are_shown_with_boxes_in_them(tmp_path: Path) -> None:
    volumes = open_unlabelled(written(tmp_path / "volumes"))
    assert len(volumes.volumes) == 2
    one, again = (volumes.batch(3, 16, np.random.default_rng(4)) for _ in range(2))
    assert torch.equal(one.image, again.image) and one.image.shape == (3, 1, 16, 16, 16)
    assert one.boxes_kji is not None and not one.target.any()
    assert bool((one.boxes_kji[:, 0] < one.boxes_kji[:, 1]).all())
    assert float(one.boxes_kji.min()) >= 0 and float(one.boxes_kji.max()) <= 15
    assert float(one.image.min()) >= 0 and float(one.image.max()) <= 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="empty contains no volume"):
        open_unlabelled(tmp_path / "empty")


def test_without_a_weight_a_step_is_that_of_ensam(tmp_path: Path) -> None:
    """And with one, the gradient has the agreement's in addition to the labels'."""
    gradients = []
    for consistency in (0.0, 2.0):
        task = ConsistentTask(
            made(tmp_path, consistency=consistency, samples=4, boxed_share=1.0), Processes("cpu")
        )
        batch = next(task.batches(0, 1))
        values = task.backward(batch, 0, 1.0)
        named = {
            n: p.grad.clone() for n, p in task.network.named_parameters() if p.grad is not None
        }
        gradients.append((values, named))
    (plain, without), (priced, together) = gradients
    assert "intersection_loss" not in plain
    assert float(priced["segmentation_loss"]) == float(plain["segmentation_loss"])
    expected = float(plain["loss"]) + 2.0 * float(priced["intersection_loss"])
    assert float(priced["loss"]) == pytest.approx(expected)
    assert any(not torch.allclose(without[name], together[name]) for name in without)


def test_agreement_never_stands_without_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step on volumes without labels has the labelled loss of its batch too."""
    settings = made(tmp_path, samples=4, unlabelled=written(tmp_path / "volumes"), boxed_share=0.0)
    task = ConsistentTask(settings, Processes("cpu"))
    task.prepare(no_progress, brief=False)
    graded: list[int] = []
    learn = consistent_task.EnsamTask.backward

    def noted(self: ConsistentTask, *given: Any) -> dict[str, torch.Tensor]:
        graded.append(given[1])
        return learn(self, *given)

    monkeypatch.setattr(consistent_task.EnsamTask, "backward", noted)
    values = task.backward(next(task.batches(0, 1)), 0, 1.0)
    # Clicked batches have no box to turn; the volumes without labels have.
    assert graded == [0] and "intersection_loss" not in values
    assert float(values["unlabelled_loss"]) > 0 and float(values["segmentation_loss"]) > 0


def test_the_weight_rises_over_the_ramp(tmp_path: Path) -> None:
    settings = made(tmp_path, samples=4, ramp=40, consistency=3.0)
    assert [settings.share_after(n) for n in (0, 20, 40, 99)] == [0.0, 1.5, 3.0, 3.0]


def test_a_run_writes_weights_that_the_model_ensam_takes(tmp_path: Path) -> None:
    settings = made(tmp_path, samples=6, unlabelled=written(tmp_path / "volumes"))
    trained = train("consistent", settings)
    assert trained.path.name == RESULT and {"dice_0", "agreement", "inconsistency"} <= set(
        trained.scores
    )
    names = {row["name"] for row in read_log(settings.out)}
    assert {"segmentation_loss", "unlabelled_loss", "agreement", "inconsistency"} <= names
    create("ensam", "cpu", weights=trained.path)


def test_every_setting_is_explained_also_those_of_ensam() -> None:
    explained = {setting.name: setting.meaning for setting in described(ConsistentSettings)}
    assert all(explained.values()) and {"cells", "consistency"} <= set(explained)
