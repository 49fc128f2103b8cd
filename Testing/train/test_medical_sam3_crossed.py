"""Slices of three planes through a voxel as samples, and the term on the lines they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from medical_sam3_checkpoints import SIDE, write_checkpoint  # noqa: E402
from torch.nn.functional import interpolate  # noqa: E402

from MedSegFMLib import Geometry  # noqa: E402
from MedSegFMLib.errors import TrainingError  # noqa: E402
from MedSegFMLib.models.medical_sam3.tokenizer import PhraseTokenizer  # noqa: E402
from MedSegFMLib.models.planar.stacks import PLANE_NAMES, stack_planes  # noqa: E402
from MedSegFMLib.train.agreement import Agreement  # noqa: E402
from MedSegFMLib.train.distributed import Processes  # noqa: E402
from MedSegFMLib.train.labelled_volumes import open_volumes  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.augmentation import made_smaller  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.crossing import (  # noqa: E402
    PAIRS,
    intersection_price,
    lines,
    on_lines,
    voxel_of,
)
from MedSegFMLib.train.recipes.medical_sam3.settings import MedicalSam3Settings  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.slices import Slices, TextBatch  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.task import MedicalSam3Task  # noqa: E402
from MedSegFMLib.train.run import train  # noqa: E402

SHARE = Agreement()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture
def settings(tmp_path: Path, base: Path) -> Callable[..., MedicalSam3Settings]:
    def made(**changes: Any) -> MedicalSam3Settings:
        fixed: dict[str, Any] = {"synthetic": 2, "side": 24, "steps": 2, "rate": 3e-3}
        fixed |= {"warmup": 1, "device": "cpu", "precision": "no", "threads": 1}
        fixed |= {"validate_slices": 6, "validate_samples": 100_000, "absent_share": 0.0}
        return MedicalSam3Settings(out=tmp_path / "run", **{**fixed, "base": base, **changes})

    return made


@pytest.fixture(scope="module")
def slices(base: Path) -> Slices:
    training, _ = open_volumes(None, "", 2, 24, 0)
    return Slices(training, PLANE_NAMES, SIDE, 16, PhraseTokenizer(base.parent, 16))


def test_a_line_is_the_same_in_both_slices(geometry: Geometry) -> None:
    shape, count, voxel = geometry.shape_kji, 32, (3, 4, 2)
    volume = np.random.default_rng(0).random(shape)
    planes = [stack_planes(geometry)[name] for name in PLANE_NAMES]
    points = lines(planes, voxel, shape, count)
    squares = []
    for plane in planes:
        index = plane.voxels(np.array([voxel]), shape)[0]
        assert voxel_of(plane, index.tolist(), shape) == list(voxel)
        one = torch.from_numpy(plane.stack(volume)[index[0]].copy())[None, None]
        # So large that each point is within a voxel, not between two.
        squares.append(interpolate(one, (24 * count, 24 * count), mode="nearest")[0, 0].float())
    logits = torch.stack(squares)
    for number, (first, second) in enumerate(PAIRS):
        axis = 3 - planes[first].axes_kji[0] - planes[second].axes_kji[0]
        at = [slice(n, n + 1) for n in voxel]
        at[axis] = slice(None)
        expected = volume[tuple(at)].ravel()
        places = ((np.arange(count) + 0.5) / count * shape[axis]).astype(int)
        pair = torch.tensor([[first, second]])
        for found in on_lines(logits, pair, points[number : number + 1]):
            inside = np.abs((np.arange(count) + 0.5) / count * shape[axis] % 1 - 0.5) < 0.4
            assert np.allclose(found[0].numpy()[inside], expected[places][inside], atol=1e-5)


def truths(batch: TextBatch) -> torch.Tensor:
    return 20 * batch.masks - 10


def test_the_true_masks_of_a_sample_agree_on_its_lines(slices: Slices) -> None:
    batch = slices.crossed(6, 0.0, np.random.default_rng(0))
    assert len(batch.images) == 18 and len(batch.slices) == 18 and len(batch.pairs) == 12
    assert batch.pairs[:4].tolist() == [[0, 1], [0, 2], [3, 4], [3, 5]]
    one, other = (line > 0 for line in on_lines(truths(batch), batch.pairs, batch.points))
    # A thin object may be lost between two points.
    assert one.any(1).sum() > 8 and other.any(1).sum() > 8
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.85
    again = slices.crossed(6, 0.0, np.random.default_rng(0))
    assert torch.equal(batch.images, again.images) and torch.equal(batch.points, again.points)


def test_samples_without_the_object_have_no_lines(slices: Slices) -> None:
    batch = slices.crossed(8, 1.0, np.random.default_rng(0))
    assert len(batch.images) == 24 and len(batch.pairs) < 16
    crossed = set(batch.pairs.flatten().tolist())
    assert crossed == set(batch.slices.tolist())


def test_lines_become_smaller_with_their_slices(slices: Slices) -> None:
    batch = slices.crossed(6, 0.0, np.random.default_rng(0))
    made = made_smaller(batch, 0.5, np.random.default_rng(1))
    assert (made.points < batch.points).any()
    one, other = (line > 0 for line in on_lines(truths(made), made.pairs, made.points))
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.75


def test_the_price_is_that_of_the_paper_and_zero_without_lines() -> None:
    logits = torch.zeros(3, 4, 4)
    logits[1] = 100.0
    points = lines(
        [stack_planes(Geometry.from_spacing((4, 4, 4), (1, 1, 1)))[name] for name in PLANE_NAMES],
        (1, 2, 2),
        (4, 4, 4),
        4,
    )
    pairs = torch.tensor(PAIRS)
    # A half against one with the coronal slice, equal halves with the sagittal one.
    assert float(intersection_price(logits, pairs, points, SHARE)) == pytest.approx(0.25)
    none = intersection_price(logits, pairs[:0], points[:0], SHARE)
    assert float(none) == 0


def test_the_term_is_learnt_beside_the_loss(settings: Callable[..., Any]) -> None:
    plain = MedicalSam3Task(settings(crossed=True), Processes("cpu"))
    batch = next(plain.batches(0, 1))
    before = plain.backward(batch, 0, 1.0)
    assert "intersection" not in before
    task = MedicalSam3Task(settings(crossed=True, consistency=50.0), Processes("cpu"))
    seen = []
    for _ in range(6):
        values = task.backward(batch, 0, 1.0)
        seen.append(float(values["intersection"]))
        if len(seen) == 1:
            more = 50.0 * 10.0 * seen[0] * 3**0.5
            assert float(values["loss"]) == pytest.approx(float(before["loss"]) + more, rel=1e-4)
        for optimiser in task.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"]
            optimiser.step()
            optimiser.zero_grad()
    assert np.mean(seen[-2:]) < 0.8 * seen[0]


def test_a_run_reports_how_far_planes_agree(settings: Callable[..., Any]) -> None:
    made = train("medical-sam3", settings(crossed=True, consistency=1.0))
    assert set(made.scores) == {"found", "dice", "agreement", "inconsistency"}
    assert 0 <= made.scores["agreement"] <= 1 and made.scores["inconsistency"] >= 0


def test_the_term_needs_slices_that_intersect(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"add crossed=true"):
        MedicalSam3Settings(out=tmp_path, consistency=1.0)
    with pytest.raises(TrainingError, match="There is no compared 'x'"):
        MedicalSam3Settings(out=tmp_path, crossed=True, compared="x")  # type: ignore[arg-type]
    assert MedicalSam3Settings(out=tmp_path, crossed=True).plane_names == PLANE_NAMES
