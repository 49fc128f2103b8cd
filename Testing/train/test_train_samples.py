"""Samples are what inference would see of the same object."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from cuboid_scenes import CPU, CUBOID, Cuboid, generators
from waiting import GENEROUS_SECONDS

from MedSegFMLib.errors import TrainingError, VolumeError
from MedSegFMLib.synthesis.scene import RandomGenerators, Scene
from MedSegFMLib.train.recipes.ensam.batches import (
    Batches,
    MixedSource,
    training_batches,
    validation_batches,
)
from MedSegFMLib.train.recipes.ensam.samples import (
    make_batch,
    normalised_cells,
    resampled_cells,
    started_logits,
)
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings
from MedSegFMLib.volumes.intensities import intensity_bounds, normalised
from MedSegFMLib.volumes.region import Shape
from MedSegFMLib.volumes.resampling import resampled

Tiny = Callable[..., EnsamSettings]


class Refusing:
    """A pack none of whose objects is ever in view for the first few tries."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        self.refusals -= 1
        if self.refusals >= 0:
            raise VolumeError("nothing to see")
        return CUBOID.scene(shape_kji, generators)


@pytest.mark.parametrize("shape", [(5, 40, 33), (16, 16, 16), (60, 9, 24)])
def test_training_and_inference_see_the_same_cells(shape: Shape) -> None:
    array = np.random.default_rng(3).gamma(2, 300, shape).astype(np.float32)
    cells = resampled(array, (16, 16, 16))
    expected = normalised(cells, intensity_bounds(cells))
    seen = normalised_cells(resampled_cells(torch.from_numpy(array), 16))
    np.testing.assert_allclose(seen.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_the_box_in_cells_bounds_the_object_in_cells(seed: int) -> None:
    batch = make_batch(CUBOID, 24, 32, 1, True, generators(seed))
    assert batch.boxes_kji is not None
    inside = (batch.target[0, 0] > 0.5).nonzero()
    # Half a voxel is a cell or less here, and a drawn box is off by up to a tenth of its width.
    cells = 32 / 12
    slack = cells + 0.1 * 32
    # A closer view may leave out a part of the box.
    box = batch.boxes_kji[0].clamp(0, 31)
    assert torch.all((box[0] - inside.amin(0)).abs() <= slack)
    assert torch.all((box[1] - inside.amax(0)).abs() <= slack)
    assert float(batch.image.min()) >= 0 and float(batch.image.max()) <= 1
    # Cells are as anisotropic as voxels and window make them, never outside of the scene.
    assert torch.all(batch.spacing_kji_mm[0] * 32 <= torch.tensor([72.0, 24.0, 12.0]) + 1e-4)


def test_a_cell_of_a_tight_window_is_as_large_as_the_window_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CUT_SCENES", 0.0)
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CLOSER_VIEWS", 0.0)
    # An object that fills the scene leaves no room for a margin.
    whole = Cuboid((0, 0, 0), (24, 24, 24), (3.0, 1.0, 0.5))
    for seed in range(6):
        batch = make_batch(whole, 24, 16, 1, True, generators(seed))
        assert batch.spacing_kji_mm[0].tolist() == pytest.approx([4.5, 1.5, 0.75])
        assert batch.target.mean() == 1


def test_some_scenes_end_within_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CUT_SCENES", 1.0)
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CLOSER_VIEWS", 0.0)
    whole = Cuboid((0, 0, 0), (24, 24, 24), (3.0, 1.0, 0.5))
    shortened = set()
    for seed in range(12):
        batch = make_batch(whole, 24, 16, 1, True, generators(seed))
        share = batch.spacing_kji_mm[0] / torch.tensor([4.5, 1.5, 0.75])
        # One axis is cut, not below three voxels of the 24; the object still fills the scene.
        cut = [axis for axis in range(3) if share[axis] < 0.999]
        assert len(cut) <= 1 and float(share.min()) >= 3 / 24 - 1e-6
        assert batch.target.mean() == 1
        shortened |= set(cut)
    assert shortened == {0, 1, 2}


def test_a_closer_view_shows_a_part_of_the_region_and_some_of_the_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CUT_SCENES", 0.0)
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CLOSER_VIEWS", 1.0)
    whole = Cuboid((0, 0, 0), (24, 24, 24), (1.0, 1.0, 1.0))
    beyond = 0
    for seed in range(12):
        batch = make_batch(whole, 24, 16, 1, True, generators(seed))
        assert batch.boxes_kji is not None
        assert batch.spacing_kji_mm[0].tolist() == pytest.approx([15 / 16] * 3)
        assert batch.target.sum() > 0
        beyond += bool((batch.boxes_kji < -0.5).any() or (batch.boxes_kji > 15.5).any())
    assert beyond == 12


def test_a_view_that_shows_nothing_of_an_object_in_two_parts_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Corners:
        def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
            labels = torch.zeros(shape_kji, dtype=torch.int16)
            labels[:3, :3, :3] = labels[-3:, -3:, -3:] = 1
            return Scene(labels.float(), labels, (1.0, 1.0, 1.0))

    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CUT_SCENES", 1.0)
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.views._CLOSER_VIEWS", 1.0)
    for seed in range(20):
        batch = make_batch(Corners(), 24, 16, 2, True, generators(seed))
        assert torch.all(batch.target.flatten(1).sum(1) > 0)


def test_a_started_mask_is_like_the_target_and_wrong_in_places() -> None:
    target = torch.zeros(4, 1, 24, 24, 24)
    target[:, :, 6:18, 6:18, 6:18] = 1
    wrong = []
    for seed in range(12):
        started = started_logits(target, generators(seed))
        assert started.shape == target.shape and torch.isfinite(started).all()
        wrong.append(float(((started > 0) != (target > 0.5)).float().mean()))
    assert min(wrong) > 0 and max(wrong) < 0.5


@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize("corner", [(0, 0, 0), (18, 18, 18)])
def test_regions_at_the_border_of_a_scene_are_clipped(boxed: bool, corner: Shape) -> None:
    far = (corner[0] + 6, corner[1] + 6, corner[2] + 6)
    batch = make_batch(Cuboid(corner, far, (1, 1, 1)), 24, 16, 6, boxed, generators())
    assert (batch.boxes_kji is not None) == boxed
    assert torch.all(batch.target.flatten(1).sum(1) > 0)
    assert torch.isfinite(batch.image).all() and torch.all(batch.spacing_kji_mm <= 1.5)


def test_a_source_without_visible_objects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("MedSegFMLib.train.recipes.ensam.samples._FEWEST_CELLS", 16**3 + 1)
    with pytest.raises(TrainingError, match="scene_side="):
        make_batch(CUBOID, 24, 16, 1, False, generators())


def test_another_view_is_tried_where_one_shows_nothing() -> None:
    assert MixedSource(CUBOID, Refusing(3), 1.0).scene((24, 24, 24), generators()).labels.any()
    with pytest.raises(VolumeError):
        MixedSource(CUBOID, Refusing(99), 1.0).scene((24, 24, 24), generators())


def test_the_same_number_gives_the_same_batch(tiny: Tiny) -> None:
    settings = tiny(samples=1)
    first, again = Batches(settings, CPU)[5], Batches(settings, CPU)[5]
    assert torch.equal(first.image, again.image) and torch.equal(first.target, again.target)
    assert not torch.equal(first.image, Batches(settings, CPU)[6].image)


def test_processes_share_the_numbers_among_them(tiny: Tiny) -> None:
    class Numbers(Batches):
        def __getitem__(self, number: int) -> int:  # type: ignore[override]
            return number

    numbers = Numbers(tiny(samples=1), CPU)
    taken = []
    for process in range(3):
        batches = training_batches(numbers, 6 + process, 3)
        taken.append([next(batches) for _ in range(3)])
    assert taken == [[6, 9, 12], [7, 10, 13], [8, 11, 14]]


def test_a_worker_makes_the_same_batches(tiny: Tiny) -> None:
    batches = [training_batches(Batches(tiny(samples=1, workers=n), CPU), 3) for n in (0, 1)]
    for _ in range(3):
        here, there = (next(source) for source in batches)
        assert torch.equal(here.image, there.image)


def test_a_pack_that_is_open_is_not_sent(tiny: Tiny) -> None:
    batches = Batches(tiny(samples=1), CPU, CUBOID)
    assert batches.source() is CUBOID
    assert pickle.loads(pickle.dumps(batches)).source() is not CUBOID


def test_validation_objects_are_boxed_and_the_same_for_every_run(tiny: Tiny) -> None:
    settings = tiny(samples=1, validation_objects=3, boxed_share=0.0)
    first, again = (validation_batches(Batches(settings, CPU)) for _ in range(2))
    assert [len(batch.image) for batch in first] == [3]
    assert first[0].boxes_kji is not None
    assert torch.equal(first[0].image, again[0].image)


def test_a_training_whose_scenes_fail_ends_at_once() -> None:
    code = """
import torch
from pathlib import Path
from MedSegFMLib.train.recipes.ensam import batches
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings

class Failing(batches.Batches):
    def __getitem__(self, number):
        raise ValueError("no such scene")

settings = EnsamSettings(out=Path("unused"), samples=1, workers=1)
next(batches.training_batches(Failing(settings, torch.device("cpu")), 0))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=GENEROUS_SECONDS,
        check=False,
    )
    assert done.returncode == 1 and "no such scene" in done.stderr
