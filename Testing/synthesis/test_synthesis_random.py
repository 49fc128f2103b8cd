"""Random scenes: the same for the same seed, within their promises, and of many kinds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from MedSegFMLib.synthesis.fields import Frame, along_axes  # noqa: E402
from MedSegFMLib.synthesis.random.canvas import LEAST_VOXELS, Canvas  # noqa: E402
from MedSegFMLib.synthesis.random.scene_kinds import KINDS  # noqa: E402
from MedSegFMLib.synthesis.random.shapes import ball, local, segments  # noqa: E402
from MedSegFMLib.synthesis.random.source import RandomSource  # noqa: E402
from MedSegFMLib.synthesis.scene import RandomGenerators, Scene  # noqa: E402

SHAPE = (20, 24, 28)
MOST_OBJECTS = 6


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def generators(seed: int) -> RandomGenerators:
    return RandomGenerators.seeded(seed, torch.device("cpu"))


def frame(seed: int = 0) -> Frame:
    return Frame(SHAPE, (1.0, 1.0, 1.0), generators(seed))


@pytest.fixture(scope="module")
def fifty(one_thread: None) -> list[Scene]:
    return [RandomSource().scene(SHAPE, generators(seed)) for seed in range(50)]


def test_same_seed_gives_same_scene_and_another_seed_another(fifty: list[Scene]) -> None:
    again = RandomSource().scene(SHAPE, generators(7))
    assert torch.equal(again.image, fifty[7].image)
    assert torch.equal(again.labels, fifty[7].labels)
    assert again.spacing_kji_mm == fifty[7].spacing_kji_mm
    assert not torch.equal(again.image, fifty[8].image)


def test_scenes_of_one_chance_go_on_without_repeating() -> None:
    one = generators(0)
    first, second = (RandomSource().scene(SHAPE, one) for _ in range(2))
    assert not torch.equal(first.image, second.image)


def test_image_is_finite_and_fills_0_to_1(fifty: list[Scene]) -> None:
    for scene in fifty:
        assert scene.image.dtype == torch.float32
        assert bool(torch.isfinite(scene.image).all())
        assert float(scene.image.min()) == 0
        assert float(scene.image.max()) == pytest.approx(1)


def test_every_object_is_numbered_without_gaps_and_has_voxels_enough(fifty: list[Scene]) -> None:
    for scene in fifty:
        assert scene.labels.dtype == torch.int16
        counts = np.bincount(scene.labels.numpy().ravel())[1:]
        assert 1 <= len(counts) <= MOST_OBJECTS
        assert counts.min() >= LEAST_VOXELS


def test_objects_are_small_and_large(fifty: list[Scene]) -> None:
    largest = [np.bincount(s.labels.numpy().ravel())[1:].max() / s.labels.numel() for s in fifty]
    assert min(largest) < 0.03
    assert max(largest) > 0.3


@pytest.mark.parametrize("shape", [(16, 16, 16), (8, 40, 33), (40, 12, 7)])
def test_shape_asked_for_is_shape_given(shape: tuple[int, int, int]) -> None:
    for seed in range(12):
        scene = RandomSource().scene(shape, generators(seed))
        assert tuple(scene.image.shape) == tuple(scene.labels.shape) == shape


def test_thick_slices_and_cubic_voxels_both_occur(fifty: list[Scene]) -> None:
    ratios = [max(s.spacing_kji_mm) / min(s.spacing_kji_mm) for s in fifty]
    assert min(ratios) == 1
    assert 4 < max(ratios) <= 8


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_scene_draws_objects(kind) -> None:
    seen = 0
    for seed in range(8):
        canvas = Canvas(frame(seed))
        kind(canvas)
        assert 1 <= canvas.objects <= MOST_OBJECTS
        assert int(canvas.labels.max()) <= canvas.objects
        assert int(canvas.tissue.max()) < len(canvas.tissues)
        seen += int((canvas.labels > 0).sum()) >= LEAST_VOXELS
    assert seen >= 6


def test_canvas_without_a_visible_object_gets_a_ball() -> None:
    canvas = Canvas(frame())
    canvas.new_object()
    canvas.drop_small_objects()
    assert int(canvas.labels.max()) == 1
    assert int((canvas.labels == 1).sum()) >= LEAST_VOXELS


def test_too_small_object_is_dropped_and_the_next_moves_up() -> None:
    canvas = Canvas(frame())
    tiny, large = torch.zeros(SHAPE), torch.zeros(SHAPE)
    tiny[0, 0, : LEAST_VOXELS - 10] = 1
    large[5:10] = 1
    for level in (tiny, large):
        canvas.paint(level, canvas.add("soft"), canvas.new_object())
    canvas.drop_small_objects()
    assert torch.equal(canvas.labels, (large > 0).to(torch.int16))


def test_fields_have_mean_0_and_variance_1() -> None:
    many = frame().fields(6, 200)
    assert abs(float(many.mean())) < 0.05
    assert float(many.var()) == pytest.approx(1, abs=0.05)


def test_matrices_along_axes_are_those_of_a_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    array = torch.rand(2, 3, 4, 5, generator=generator)
    a, b, c = (torch.rand(7, n, generator=generator) for n in (3, 4, 5))
    expected = torch.einsum("ckji,xk,yj,zi->cxyz", array, a, b, c)
    assert torch.allclose(along_axes(array, (a, b, c)), expected, atol=1e-5)


def test_ball_placed_is_an_ellipsoid_with_these_radii() -> None:
    there = frame()
    center, radii = np.array([0.1, -0.2, 0.0]), np.array([0.5, 0.25, 0.75])
    level = ball(local(there.position, center, radii, np.eye(3), there), there)
    k, j, i = there.position
    expected = ((k - 0.1) / 0.5) ** 2 + ((j + 0.2) / 0.25) ** 2 + (i / 0.75) ** 2 < 1
    assert torch.equal(level > 0, expected)


def test_distance_to_a_segment_is_3_4_5_beyond_its_end_and_straight_beside_it() -> None:
    p = torch.tensor([[1.0 + 3, 0.5], [4.0, 2.0], [0.0, 0.0]]).reshape(3, 1, 1, 2)
    gap = segments(p, np.array([[0.0, 0, 0]]), np.array([[1.0, 0, 0]]), frame())
    assert gap[0].tolist() == pytest.approx([5, 2], abs=1e-4)
