"""The recipe `consistent-sam3d`: patches meet in the same voxels, beside labels, a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sam_checkpoints import tiny_is_published, write_checkpoint
from sample_volumes import make_blob

from MedSegFMLib import Geometry, create
from MedSegFMLib.errors import TrainingError
from MedSegFMLib.models.sam3d.patches import PatchGrid, ZScores
from MedSegFMLib.progress import no_progress
from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.recipes.consistent_sam3d.axis_views import (
    STRAIGHT,
    TURNED,
    AxisView,
    class_logits,
    meeting_answers,
    turned_volume,
)
from MedSegFMLib.train.recipes.consistent_sam3d.settings import ConsistentSam3dSettings
from MedSegFMLib.train.recipes.consistent_sam3d.task import ConsistentSam3dTask
from MedSegFMLib.train.recipes.sam3d.patches import PatchVolume
from MedSegFMLib.train.recipes.sam3d.volumes import ClassVolume
from MedSegFMLib.train.run import train


@pytest.fixture(autouse=True)
def tiny_base() -> Iterator[None]:
    with tiny_is_published():
        yield


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    folder = tmp_path / "volumes"
    folder.mkdir()
    make_blob(Geometry.from_spacing((14, 20, 22), (1, 1, 2)))[0].write(folder / "0.nii.gz")
    return folder


def made(tmp_path: Path, **changes: Any) -> ConsistentSam3dSettings:
    base = tmp_path / "sam.pth"
    if not base.exists():
        write_checkpoint(base)
    tiny: dict[str, Any] = {
        "base": str(base),
        "synthetic": 1,
        "side": 20,
        "patch": 32,
        "depth": 4,
        "variants": 1,
        "steps": 2,
        "ramp": 0,
        "device": "cpu",
        "precision": "no",
        "threads": 1,
        "validate_samples": 1_000_000,
    }
    return ConsistentSam3dSettings(out=tmp_path / "run", **{**tiny, **changes})


def places(shape: tuple[int, int, int]) -> ClassVolume:
    """A volume in which every voxel has a number of its own, and some have a class."""
    numbers = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    classes = np.zeros(shape, np.uint8)
    classes[1:3, 4:7, 5:9] = 1
    return ClassVolume((numbers,), (ZScores(0.0, 1.0),), classes)


def read_by_itself(volume: ClassVolume) -> PatchVolume:
    """Patches whose features are the voxels' own numbers, in the place of an encoder's."""
    shape = volume.classes_kji.shape
    grid = PatchGrid.covering((shape[0], shape[1], shape[2]), 16, 3, 0.5)
    windows = range(len(grid.corners))
    cut = [grid.cut(volume.images_kji[0], window, volume.scores[0]) for window in windows]
    # Half precision keeps numbers up to 2048 apart.
    numbers = np.stack(cut)[:, :, None] / 1024
    features = np.concatenate([np.zeros_like(numbers), numbers], axis=2).astype(np.float16)
    return PatchVolume([features], grid, volume.classes_kji)


@pytest.mark.parametrize("shape", [(6, 20, 17), (9, 9, 24)], ids=str)
def test_the_patches_of_two_axes_meet_in_the_same_voxels(shape: tuple[int, int, int]) -> None:
    volume = places(shape)
    views = [
        AxisView(order, read_by_itself(turned_volume(volume, order)))
        for order in (STRAIGHT, *TURNED)
    ]
    rng = np.random.default_rng(0)
    sizes = set()
    for _ in range(20):
        one, other = meeting_answers(torch.nn.Identity(), views, 0.5, rng, torch.device("cpu"))  # type: ignore[arg-type]
        assert torch.equal(one, other) and one.numel()
        # No voxel of the padding is compared: each number is there once.
        assert len(one.unique()) == one.numel()
        sizes.add(tuple(one.shape))
    assert len(sizes) > 1


def test_a_class_is_compared_by_its_probability_beside_all_others() -> None:
    logits = torch.randn(4, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(class_logits(logits).sigmoid(), logits.softmax(0)[1:], atol=1e-5)


def test_agreement_is_added_to_the_loss_of_the_labels(tmp_path: Path, unlabelled: Path) -> None:
    """Without a weight a step is that of sam3d, and volumes without labels never stand alone."""
    losses, gradients = [], []
    for weight in (0.0, 2.0):
        settings = made(tmp_path, consistency=weight, unlabelled=unlabelled, unlabelled_weight=0.5)
        task = ConsistentSam3dTask(settings, Processes("cpu"))
        task.prepare(no_progress, brief=False)
        values = task.backward(next(task.batches(0, 1)), 0, 1.0)
        losses.append({name: float(value) for name, value in values.items()})
        gradients.append(
            {n: p.grad.clone() for n, p in task.decoder.named_parameters() if p.grad is not None}
        )
    plain, priced = losses
    assert set(plain) == {"loss", "segmentation_loss"}
    assert priced["segmentation_loss"] == plain["loss"]
    assert priced["intersection_loss"] > 0 and priced["unlabelled_loss"] > 0
    agreed = 2 * priced["intersection_loss"] + priced["unlabelled_loss"]
    assert priced["loss"] == pytest.approx(plain["loss"] + agreed)
    without, together = gradients
    assert any(not torch.allclose(without[name], together[name]) for name in without)


def test_a_run_writes_a_decoder_that_the_model_sam3d_takes(
    tmp_path: Path, unlabelled: Path
) -> None:
    settings = made(tmp_path, unlabelled=unlabelled)
    trained = train("consistent-sam3d", settings)
    assert {"dice", "agreement", "inconsistency"} <= set(trained.scores)
    create("sam3d", "cpu", weights=trained.path, base=Path(settings.base))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    task = ConsistentSam3dTask(made(tmp_path, unlabelled=tmp_path / "empty"), Processes("cpu"))
    with pytest.raises(TrainingError, match="contains no volume"):
        task.prepare(no_progress, brief=False)
